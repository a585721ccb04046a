"""What deploy/compose.yaml serves: put your own beside it."""


def greet(name: str = "world") -> str:
    """Greet someone."""
    return f"hello {name}"
