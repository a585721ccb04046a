"""The example's own module: nested data in and out, an exception of its own, a stream."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PRICES = {"apple": 0.4, "bread": 2.5, "coffee": 7.9}


class OutOfStock(LookupError):
    """There is none left."""


@dataclass
class Item:
    """What is ordered."""

    name: str
    quantity: int = 1


def quote(items: list[Item], *, customer: str = "", discount: float = 0.0) -> dict[str, Any]:
    """Price an order."""
    lines = []
    for item in items:
        if item.name not in PRICES:
            raise OutOfStock(f"no {item.name} left") from KeyError(item.name)
        lines.append({"item": item.name, "total": round(PRICES[item.name] * item.quantity, 2)})
    total = sum(line["total"] for line in lines)
    return {
        "customer": customer,
        "lines": lines,
        "total": round(total * (1 - discount), 2),
        "valid_for": datetime.timedelta(hours=24),
    }


def countdown(start: int) -> Iterator[int]:
    """Count down to 1."""
    yield from range(start, 0, -1)
