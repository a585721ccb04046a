"""Who is ahead: Callgate's best way of calling beside the best peer, for each function and number of callers."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

__all__ = ["Beside", "beside", "levels_of"]

_Cells = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Beside:
    """Callgate beside the best peer, for one function and one number of callers.

    Attributes:
        ours: the name of Callgate's target that did best.
        theirs: the peer's.
        ratio: the median over rounds of their rates' ratio; above 1 Callgate is ahead.
        spread: the lowest and the highest.
    """

    function: str
    callers: int
    ours: str
    theirs: str
    ratio: float
    spread: tuple[float, float]


def beside(peers: dict[str, Any]) -> list[Beside]:
    """Callgate's best way beside the best peer, for each function and number of callers."""
    targets = peers["targets"]
    found = []
    for function in peers["functions"]:
        for level in levels_of(targets, function):
            ours = _best(targets, function, level, ("callgate", "executor"))
            theirs = _best(targets, function, level, ("peer",))
            if ours and theirs:
                a, b = (targets[name]["cells"][function][level]["rate"] for name in (ours, theirs))
                # A target that missed a round has fewer values than another: medians then, with no spread to speak of.
                pairs = [x / y for x, y in zip(a, b, strict=False) if y]
                ratio = statistics.median(pairs)
                found.append(Beside(function, int(level), ours, theirs, ratio, (min(pairs), max(pairs))))
    return found


def levels_of(targets: _Cells, function: str) -> list[str]:
    """The numbers of callers that a function was measured with."""
    return sorted({level for target in targets.values() for level in target["cells"].get(function, {})}, key=int)


def _best(targets: _Cells, function: str, level: str, groups: tuple[str, ...]) -> str:
    """The target of these groups with the highest median rate, of those that answered every call; "" if none did."""
    rates = {}
    for name, target in targets.items():
        cell = target["cells"].get(function, {}).get(level, {})
        if target["group"] in groups and cell.get("rate") and not any(cell["failures"]):
            rates[name] = statistics.median(cell["rate"])
    return max(rates, key=lambda name: rates[name]) if rates and max(rates.values()) else ""
