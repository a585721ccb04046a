"""What Callgate is held to, measured: `make bench`. Each module with a `run() -> list[Figure]` is one measurement."""
