"""What happens as things grow: callers, from 1 to 2,000; exposed functions, from 1 to 5,000; payloads, to 32 MiB.

h2load calls, which is never in the way; throughput and p99 at each step, medians of the repetitions. Two questions have
figures: is there a cliff (a step that costs far more than its neighbours), is anything worse than linear? Payloads are
also sent over a bare connection in the same run: what grows there is the machine's own (its caches end somewhere).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtest.peers.bare import BareEcho
from loadtest.peers.flood import Flood, Message, flood
from loadtest.peers.pair import Cores
from loadtest.peers.served import message, serve
from loadtest.server import ServerProcess

__all__ = ["BARE", "CALLERS", "FUNCTIONS", "PAYLOADS", "always", "grow", "steepest", "worst_drop"]

CALLERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
FUNCTIONS = (1, 10, 100, 1000, 5000)
PAYLOADS = (10, 100, 1 << 10, 10 << 10, 100 << 10, 1 << 20, 4 << 20, 16 << 20, 32 << 20)

#: Calls of each payload, at least, in each repetition: the 99th percentile of fewer than a hundred is their slowest,
#: and that is mostly the first one of a new connection, whose windows are still small.
_PAYLOAD_CALLS = 200

#: What is measured beside the transports, for payloads only.
BARE = "a bare connection"

#: Callers where it is something else that grows: enough to keep a core busy, as in loadtest/bench/gate.py.
_BUSY = 32

_SETTINGS = """\
transport = "{transport}"
path = ["{folder}"]
limits.calls = 4096
limits.message = "128MiB"

[executors.default]
kind = "serial"
queue = 4096

[[expose]]
functions = ["math.sqrt", {exposed}]
"""


def grow(
    transports: Sequence[str], repeats: int, seconds: float, cores: Cores, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure growth on each transport.

    Args:
        transports: which.
        repeats: how often each step is measured.
        seconds: how long, roughly.
        cores: the server's and the load's.
        folder: for generated modules and settings.
        say: is told how it goes.

    Returns:
        By transport and by what grows: the steps, each with its size, rates and latencies; and their figures. One more,
        BARE, has payloads only.
    """
    (folder / "growth_payload.py").write_text('def same(value):\n    """What came."""\n    return value\n', "utf-8")
    results: dict[str, Any] = {transport: {} for transport in transports}
    for transport in transports:

        def start(name: str, exposed: str, transport: str = transport) -> ServerProcess:
            settings = _SETTINGS.format(transport=transport, folder=folder, exposed=f'"{exposed}"')
            return serve(settings, folder, f"growth-{transport}-{name}", cores[0])

        grown = results[transport]
        say(f"growth, {transport}: callers")
        with start("callers", "growth_payload.same") as server:
            sqrt = message("math", "sqrt", 16.0, 4.0)
            steps = [_Step(count, server, sqrt, count) for count in CALLERS]
            grown["callers"] = _measured(steps, repeats, seconds, cores[1])
        say(f"growth, {transport}: exposed functions")
        with ExitStack() as servers:
            steps = []
            for count in FUNCTIONS:
                module = _module(folder, count)
                server = servers.enter_context(start(module, f"{module}.*"))
                last = message(module, f"function_{count - 1}", 1, count)
                steps.append(_Step(count, server, last, _BUSY))
            grown["functions"] = _measured(steps, repeats, seconds, cores[1])
        say(f"growth, {transport}: payloads")
        with start("payloads", "growth_payload.same") as server:
            steps = [_Step(size, server, _payload(size), 1, _PAYLOAD_CALLS) for size in PAYLOADS]
            grown["payloads"] = _measured(steps, repeats, seconds, cores[1])
        grown["figures"] = figures(grown)
    say(f"growth, {BARE}: payloads")
    with ExitStack() as echoes:
        bare = [_BareStep(size, echoes.enter_context(BareEcho(size, cores[0]))) for size in PAYLOADS]
        grown = results[BARE] = {"payloads": _measured(bare, repeats, seconds, cores[1])}
    grown["figures"] = figures(grown)
    return results


def _payload(size: int) -> Message:
    data = b"x" * size
    return message("growth_payload", "same", data, data)


def _module(folder: Path, count: int) -> str:
    """A generated module of so many functions."""
    name = f"growth_functions_{count}"
    text = "".join(
        f'def function_{number}(value: int) -> int:\n    """Number {number}."""\n    return value + {number}\n\n\n'
        for number in range(count)
    )
    (folder / f"{name}.py").write_text(text, "utf-8")
    return name


@dataclass
class _Step:
    """A size, and how it is measured: `least` calls or more; `requests` is found out."""

    size: int
    server: ServerProcess
    call: Message
    callers: int
    least: int = 0
    requests: int = 0

    def flood(self, requests: int, cores: set[int]) -> Flood:
        pid = self.server.process.pid
        return flood(self.server.address, self.call, callers=self.callers, requests=requests, server=pid, cores=cores)


@dataclass
class _BareStep:
    """The same for a bare connection."""

    size: int
    echo: BareEcho
    callers: int = 1
    least: int = _PAYLOAD_CALLS
    requests: int = 0

    def flood(self, requests: int, cores: set[int]) -> Flood:
        return self.echo.flood(requests, cores)


def _measured(
    steps: Sequence[_Step | _BareStep], repeats: int, seconds: float, cores: set[int]
) -> list[dict[str, Any]]:
    """Measure all steps, and all again, there and back: a machine that is slow for a while is so for all sizes."""
    made: list[dict[str, Any]] = [{"size": step.size} for step in steps]
    both = list(zip(steps, made, strict=True))
    for number in range(repeats + 1):
        for step, of_step in both if number % 2 else reversed(both):
            if "trouble" in of_step:
                continue
            try:
                if not number:
                    probe = step.flood(max(20, 2 * step.callers), cores)
                    # Ten rounds of all callers at least, so that the beginning, when all come at once, is not all there
                    # is.
                    step.requests = max(10 * step.callers, step.least, int(probe.rate * seconds))
                    continue
                for key, value in asdict(step.flood(step.requests, cores)).items():
                    of_step.setdefault(key, []).append(value)
            except RuntimeError as error:
                of_step["trouble"] = str(error)[:300]
    return made


def figures(grown: dict[str, Any]) -> dict[str, dict[str, float]]:
    """What answers the two questions: each figure's value, 1.0 is no loss at all, and the sizes it lies between."""
    found = {}
    if "callers" in grown:
        # Throughput may not fall as callers or functions are added ...
        callers, functions = _medians(grown["callers"], "rate"), _medians(grown["functions"], "rate")
        found["callers: lowest rate after the peak / peak"] = worst_drop(callers)
        found["functions: lowest rate / rate with one"] = worst_drop(functions)
    # ... and time may not grow faster than what it is spent on: as a whole, nor between any two sizes.
    for what, name, key in (("callers", "p99", "p99"), ("payloads", "median", "p50"), ("payloads", "p99", "p99")):
        if what in grown:
            of = "bytes" if what == "payloads" else what
            points = _medians(grown[what], key)
            if what == "callers":
                found["callers: growth of p99 / of callers, least to most"] = _between(points[:1] + points[-1:])
            found[f"{what}: growth of {name} / of {of}, steepest"] = steepest(points)
            found[f"{what}: growth of {name} / of {of}, steepest in every repetition"] = always(grown[what], key)
    return found


def _medians(steps: Sequence[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(step["size"], statistics.median(step[key])) for step in steps if step.get(key)]


def worst_drop(points: Sequence[tuple[float, float]]) -> dict[str, float]:
    """The lowest value after the highest one, as a part of it; 1.0 where it never falls."""
    if not points:
        return {"value": 0.0}
    peak = max(points, key=lambda point: point[1])
    lowest = min(points[points.index(peak) :], key=lambda point: point[1])
    return {"value": lowest[1] / peak[1], "from": peak[0], "to": lowest[0]}


def steepest(points: Sequence[tuple[float, float]]) -> dict[str, float]:
    """The largest factor by which a value grew from any size to any larger one, divided by that of the size.

    At most 1 is "nothing worse than linear".
    """
    return max(
        (_between([small, large]) for index, small in enumerate(points) for large in points[index + 1 :]),
        key=lambda found: found["value"],
        default={"value": 0.0},
    )


def always(steps: Sequence[dict[str, Any]], key: str) -> dict[str, float]:
    """The largest factor, as `steepest` has it, by which a value grew between two sizes in every repetition.

    The steepest of all pairs of sizes is above 1 also where growth is linear, since noise has its say in each pair.
    What is above 1 here was so in each repetition.
    """
    measured = [step for step in steps if step.get(key)]
    return max(
        (
            min(
                (
                    _between([(small["size"], earlier), (large["size"], later)])
                    for earlier, later in zip(small[key], large[key], strict=False)
                ),
                key=lambda found: found["value"],
            )
            for index, small in enumerate(measured)
            for large in measured[index + 1 :]
        ),
        key=lambda found: found["value"],
        default={"value": 0.0},
    )


def _between(points: Sequence[tuple[float, float]]) -> dict[str, float]:
    """The factor by which a value grew from one size to another, divided by that of the size."""
    if len(points) < 2:
        return {"value": 0.0}
    (small, earlier), (large, later) = points
    return {"value": (later / earlier) / (large / small), "from": small, "to": large}
