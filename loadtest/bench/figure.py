"""One measured figure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Figure"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio from one run, and what it is held to.

    Attributes:
        name: what was measured, for a reader who has not seen the code.
        ratio: the median.
        target: what it is held to.
        at_most: whether the target is an upper bound; a lower one otherwise.
        spread: the lowest and the highest of the single ratios.
        notes: the absolute values behind it, for reading only.
    """

    name: str
    ratio: float
    target: float
    at_most: bool
    spread: tuple[float, float]
    notes: str = ""
