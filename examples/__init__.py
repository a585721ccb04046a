"""Functions to call in the first minute: `make run` serves every module here."""
