"""One file a system that is compared: how it is set up, how it serves, how its users call it."""
