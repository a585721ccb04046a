"""A function as a service would have it: nested data in and out, and a status of its own choosing."""

from __future__ import annotations

from typing import Any

import callgate

PRICES = {"apple": 0.4, "bread": 2.5, "coffee": 7.9}


def quote(items: list[dict[str, Any]], *, customer: str = "", discount: float = 0.0) -> dict[str, Any]:
    """Price a list of items, each {"name": …, "quantity": …}; an unknown name is NOT_FOUND."""
    lines = []
    for item in items:
        name = item["name"]
        if name not in PRICES:
            raise callgate.StatusError("NOT_FOUND", f"no item {name!r}; there is {', '.join(sorted(PRICES))}")
        lines.append({"name": name, "total": round(PRICES[name] * item.get("quantity", 1), 2)})
    total = sum(line["total"] for line in lines)
    return {"customer": customer, "lines": lines, "total": round(total * (1 - discount), 2)}
