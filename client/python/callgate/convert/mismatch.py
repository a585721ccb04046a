"""The error of every converter."""

from __future__ import annotations

__all__ = ["Mismatch", "wanted"]


class Mismatch(ValueError):
    """A value does not fit a type hint.

    Attributes:
        problem: what is wrong with it.
        path: where it stands in the value that was converted, "[3].price"; "" for that value itself.
    """

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


def wanted(what: str, value: object) -> Mismatch:
    """A Mismatch for a value of the wrong type; shows the value only if it is plain and short."""
    kind = type(value)
    name = kind.__name__
    if kind in (str, int, float, bool, bytes) and (kind is not int or -(10**20) < value < 10**20):  # type: ignore[operator]  # an int
        text = repr(value[:40] if isinstance(value, str | bytes) else value)
        return Mismatch(f"{text} is {_article(name)}, and {what} is wanted")
    return Mismatch(f"{_article(name)} where {what} is wanted")


def _article(name: str) -> str:
    return f"an {name}" if name[:1] in "aeiouAEIOU" else f"a {name}"
