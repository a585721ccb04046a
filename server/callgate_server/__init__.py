"""The Callgate server: transports → servicers → dispatcher → registry, admission → executors → the function."""
