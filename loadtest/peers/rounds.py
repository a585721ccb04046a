"""The comparison itself: rounds, in each of which every target is started, measured and thrown away.

A fresh server each time: starts and peaks of memory are measured as often as everything else, no idle neighbour (Ray's
daemons are never quite idle) is in anybody's figures, and who follows whom is turned around from round to round. What
cannot be measured is said in the results; the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from callgate._wire import call_request
from callgate.v1 import function_service_pb2 as pb
from callgate.values import encode
from loadtest.peers.flood import Message, flood
from loadtest.peers.pair import Cores, Pair, Refused
from loadtest.peers.plain_codec import SERVICE, encoders
from loadtest.peers.plan import LEVELS, Target

__all__ = ["Extent", "measure"]

#: What a cell of the results keeps of an Outcome, a value a round.
_KEPT = ("rate", "p50", "p99", "server_cpu", "client_cpu", "calls", "failures")

#: Calls to find out how fast a server is, before as many as fill a window.
_PROBE = 200


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured.

    Attributes:
        rounds: repetitions of everything.
        window: seconds of each measurement; twice as many for one caller, whose latencies are what is asked for, and
            five times as many for slow calls.
        functions: which.
        levels: numbers of callers.
        executor_levels: likewise for Callgate's executors among themselves, which need fewer to be told apart.
    """

    rounds: int = 5
    window: float = 0.2
    functions: tuple[str, ...] = ("sqrt", "record", "scaled", "nap", "burn")
    levels: tuple[int, ...] = LEVELS
    executor_levels: tuple[int, ...] = (1, 64)

    def cells(self, target: Target) -> Iterator[tuple[str, int]]:
        """Function and callers; what may leave a long queue behind comes last: the server is replaced after it."""
        levels = self.executor_levels if target.group == "executor" else self.levels
        functions = target.functions(self.functions)
        if target.mode.endswith((":submit", ":advised", ":aio-call")):
            # 10 s each, where the function is all the work: how it is called shows with 64 callers as well.
            yield from (cell for cell in _cells(functions, levels) if cell != ("burn", 512))
        else:
            yield from _cells(functions, levels)

    def order(self, function: str, callers: int) -> dict[str, Any]:
        """How a cell is measured: by a window, longer for one caller and for slow calls, or by a wave."""
        for name, least, seconds in _WAVES:
            if function == name and callers >= least:
                return {"seconds": seconds, "wave": True}
        longer = 2 if callers == 1 else _SLOW.get(function, 1)
        return {"seconds": self.window * longer, "wave": False}


#: How many times as long a window is for calls of tens of milliseconds: in 0.2 s there are ten calls of 20 ms, or three
#: to four whole rounds of calls that all take 50 ms, and one more or less would be a tenth or a fourth.
_SLOW = {"burn": 5, "nap": 5}

#: What is measured by waves (see driving), from how many callers on, and how many seconds that may take: 512 calls of
#: 20 ms are 10 s on one core, 512 arrays of 1 MiB there and back 1 to 3 s.
_WAVES = (("burn", 64, 14.0), ("scaled", 512, 5.0))


def _cells(functions: Sequence[str], levels: Sequence[int]) -> Iterator[tuple[str, int]]:
    yield from ((name, level) for name in functions for level in levels if not _late(name, level))
    yield from ((name, level) for name in functions for level in levels if _late(name, level))


def _late(function: str, callers: int) -> bool:
    return (function == "nap" and callers >= 64) or (function == "scaled" and callers >= 512)


def measure(
    targets: Sequence[Target],
    extent: Extent,
    cores: Cores,
    folder: Path,
    *,
    started: Callable[[dict[str, Any]], None],
    say: Callable[[str], None],
) -> None:
    """Measure all targets.

    Args:
        targets: which.
        extent: how much.
        cores: where.
        folder: for the servers' files.
        started: is given the results, by target, before the first round and after each: write them.
        say: is told how it goes.
    """
    results: dict[str, Any] = {target.name: _empty(target) for target in targets}
    started(results)
    out: set[str] = set()
    for number in range(extent.rounds):
        order = list(targets) if number % 2 == 0 else list(reversed(targets))
        for target in order:
            if target.name in out:
                continue
            say(f"round {number + 1} of {extent.rounds}: {target.title}")
            try:
                _one_round(target, extent, cores, folder, results[target.name])
            except Refused as error:
                results[target.name]["trouble"].append(f"round {number + 1}: {error}")
                say(f"  {target.title}: {error}")
                if not results[target.name]["start_seconds"]:  # it never came up: it will not in the next round
                    out.add(target.name)
        started(results)


def _empty(target: Target) -> dict[str, Any]:
    return {
        "title": target.title,
        "group": target.group,
        "module": target.module,
        "leaves_out": dict(target.leaves_out),
        "start_seconds": [],
        "peak_rss_mb": [],
        "cells": {},
        "h2load": {},
        "trouble": [],
    }


def _one_round(target: Target, extent: Extent, cores: Cores, folder: Path, result: dict[str, Any]) -> None:
    pair = Pair(target, cores, folder)
    peak = 0
    try:
        result["start_seconds"].append(round(pair.start_seconds, 4))
        if target.h2load and "sqrt" in extent.functions:
            _flooded(target, pair, extent, cores, result)
        cells = list(extent.cells(target))
        for index, (function, level) in enumerate(cells):
            cell = result["cells"].setdefault(function, {}).setdefault(str(level), {key: [] for key in _KEPT})
            refused = None
            try:
                outcome = pair.measure(function, level, **extent.order(function, level))
                for key in _KEPT:
                    cell[key].append(outcome[key])
                cell.setdefault("failure", outcome["failure"])
            except Refused as error:
                refused = error
                result["trouble"].append(f"{function}, {level} callers: {error}")
            peak = max(peak, pair.peak_rss_bytes())
            if (refused or not outcome["drained"]) and index + 1 < len(cells):
                pair.kill()
                pair = Pair(target, cores, folder)
        result["peak_rss_mb"].append(round(peak / 1e6, 1))
    finally:
        # A server that still works through a queue would drain it first: it is not asked to.
        if _idle(pair):
            pair.stop()
        else:
            pair.kill()


def _idle(pair: Pair) -> bool:
    """Whether the server answers, so that it stops when told."""
    try:
        return bool(pair.measure("sqrt", 1, seconds=0.0)["drained"])
    except Refused:
        return False


def _flooded(target: Target, pair: Pair, extent: Extent, cores: Cores, result: dict[str, Any]) -> None:
    message = _message(target)
    for level in extent.levels:
        try:
            probe = flood(
                pair.address, message, callers=level, requests=max(_PROBE, 2 * level), server=pair.pid, cores=cores[1]
            )
            requests = max(2 * level, int(probe.rate * extent.window))
            done = flood(pair.address, message, callers=level, requests=requests, server=pair.pid, cores=cores[1])
        except RuntimeError as error:
            result["trouble"].append(f"h2load, {level} callers: {error}")
            continue
        cell = result["h2load"].setdefault(str(level), {})
        for key, value in asdict(done).items():
            cell.setdefault(key, []).append(value)


def _message(target: Target) -> Message:
    """math.sqrt(16.0) as h2load sends it."""
    if target.module == "callgate":
        answer = pb.CallFunctionResponse()
        encode(4.0, answer.value)
        request = call_request("math", "sqrt", [16.0], {}, 1 << 20)
        return Message("callgate.v1.FunctionService/CallFunction", request, answer.ByteSize())
    plain = encoders()["sqrt"]
    return Message(f"{SERVICE}/sqrt", plain(16.0), len(plain(4.0)), ("application: functions",))
