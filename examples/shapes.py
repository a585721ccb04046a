"""Plain functions with keyword arguments, nested data and an error of their own."""

from __future__ import annotations

import math


def area(width: float, height: float | None = None) -> float:
    """The area of a rectangle, or of a square if only one side is given."""
    if width < 0 or (height is not None and height < 0):
        raise ValueError("a side cannot be negative")
    return width * (width if height is None else height)


def circle(radius: float, *, digits: int = 3) -> dict[str, float]:
    """A circle's area and circumference, rounded."""
    return {
        "area": round(math.pi * radius**2, digits),
        "circumference": round(2 * math.pi * radius, digits),
    }


def bounding_box(points: list[tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """The smallest box around some points."""
    xs, ys = zip(*points, strict=True)
    return {"min": (min(xs), min(ys)), "max": (max(xs), max(ys))}
