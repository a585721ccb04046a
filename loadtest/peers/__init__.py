"""Callgate beside what a user would pick instead: the same functions, on the same machine, in the same run."""
