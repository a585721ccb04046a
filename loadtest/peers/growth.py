"""What happens as things grow: callers, from 1 to 2,000; exposed functions, from 1 to 5,000; payloads, to 32 MiB.

h2load calls, which is never in the way; throughput and p99 at each step, medians of the repetitions. Two questions have
a figure each: is there a cliff (a step that costs far more than its neighbours), is anything worse than linear?
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtest.peers.flood import Message, flood
from loadtest.peers.pair import Cores
from loadtest.peers.served import message, serve
from loadtest.server import ServerProcess

__all__ = ["CALLERS", "FUNCTIONS", "PAYLOADS", "grow", "steepest", "worst_drop"]

CALLERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
FUNCTIONS = (1, 10, 100, 1000, 5000)
PAYLOADS = (10, 100, 1 << 10, 10 << 10, 100 << 10, 1 << 20, 4 << 20, 16 << 20, 32 << 20)

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
        By transport and by what grows: the steps, each with its size, rates and latencies; and their figures.
    """
    (folder / "growth_payload.py").write_text('def same(value):\n    """What came."""\n    return value\n', "utf-8")
    results: dict[str, Any] = {transport: {} for transport in transports}
    for transport in transports:

        def start(exposed: str, transport: str = transport) -> ServerProcess:
            settings = _SETTINGS.format(transport=transport, folder=folder, exposed=f'"{exposed}"')
            return serve(settings, folder, f"growth-{transport}", cores[0])

        say(f"growth, {transport}: callers")
        with start("growth_payload.same") as server:
            sqrt = message("math", "sqrt", 16.0, 4.0)
            results[transport]["callers"] = [
                _step(count, server, sqrt, count, repeats, seconds, cores[1]) for count in CALLERS
            ]
        say(f"growth, {transport}: exposed functions")
        steps = []
        for count in FUNCTIONS:
            name = _module(folder, count)
            with start(f"{name}.*") as server:
                last = message(name, f"function_{count - 1}", 1, count)
                steps.append(_step(count, server, last, _BUSY, repeats, seconds, cores[1]))
        results[transport]["functions"] = steps
        say(f"growth, {transport}: payloads")
        with start("growth_payload.same") as server:
            results[transport]["payloads"] = [
                _step(size, server, _payload(size), 1, repeats, seconds, cores[1]) for size in PAYLOADS
            ]
        results[transport]["figures"] = figures(results[transport])
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


def _step(
    size: int, server: ServerProcess, call: Message, callers: int, repeats: int, seconds: float, cores: set[int]
) -> dict[str, Any]:
    made: dict[str, Any] = {"size": size}
    pid = server.process.pid
    try:
        probe = flood(server.address, call, callers=callers, requests=max(20, 2 * callers), server=pid, cores=cores)
        # Ten rounds of all callers at least, so that the beginning, when all come at once, is not all there is.
        requests = max(10 * callers if callers > 1 else 10, int(probe.rate * seconds))
        for _ in range(repeats):
            done = flood(server.address, call, callers=callers, requests=requests, server=pid, cores=cores)
            for key, value in asdict(done).items():
                made.setdefault(key, []).append(value)
    except RuntimeError as error:
        made["trouble"] = str(error)[:300]
    return made


def figures(grown: dict[str, Any]) -> dict[str, float]:
    """One number for each question; 1.0 is no loss at all."""
    return {
        # Throughput may not fall as callers or functions are added ...
        "callers: lowest rate after the peak / peak": worst_drop(_medians(grown["callers"], "rate")),
        "functions: lowest rate / rate with one": worst_drop(_medians(grown["functions"], "rate")),
        # ... and time may not grow faster than what it is spent on.
        "callers: steepest growth of p99 / of callers": steepest(_medians(grown["callers"], "p99")),
        "payloads: steepest growth of time / of bytes": steepest(_medians(grown["payloads"], "p50")),
    }


def _medians(steps: Sequence[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(step["size"], statistics.median(step[key])) for step in steps if step.get(key)]


def worst_drop(points: Sequence[tuple[float, float]]) -> float:
    """The lowest value after the highest one, as a part of it; 1.0 where it never falls."""
    if not points:
        return 0.0
    values = [value for _, value in points]
    peak = values.index(max(values))
    return min(values[peak:]) / values[peak]


def steepest(points: Sequence[tuple[float, float]]) -> float:
    """The largest factor by which a value grew from any size to any larger one, divided by that of the size.

    At most 1 is "nothing worse than linear".
    """
    return max(
        (
            (later / earlier) / (large / small)
            for index, (small, earlier) in enumerate(points)
            for large, later in points[index + 1 :]
        ),
        default=0.0,
    )
