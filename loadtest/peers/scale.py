"""Scale on one machine: two worker processes and CPU-bound calls of about 20 ms.

Two figures: throughput beside the ideal, which is two processes that run the same function with no server at all, on
the same cores in the same run; and how long a worker idled while a call waited, as a part of the workers' time. Clocks
compare because CLOCK_MONOTONIC is the system's, the same in every process.

Throughput is h2load's, which takes next to nothing of the cores that the workers need. With a Python client, whose
calls tell who ran them and when, it is measured again: there the client's part is lost to the workers.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import callgate
from loadtest.peers.cases import BURN_ROUNDS
from loadtest.peers.flood import flood
from loadtest.peers.served import message, serve
from loadtest.server import ROOT, ServerProcess

__all__ = ["idle_while_waiting", "scale"]

_WORKERS = 2
#: Callers: enough that a call always waits, which is when a worker may not idle.
_CALLERS = 8

_SETTINGS = """\
transport = "{transport}"
path = ["{folder}"]

[[expose]]
functions = ["scale_functions.*"]
executor = "pair"

[executors.pair]
kind = "processes"
workers = 2
"""

#: Windows of h2load, and as many of the ideal, for each one of the Python client: short ones, and many. On a shared
#: machine cores are 9 % faster or slower from one second to the next, and three seconds are no steadier (measured), so
#: that error falls with their number.
_WINDOWS = 7

#: The ideal: the function alone, for as many calls as there are bytes in a pipe, which the processes share; each "go"
#: is answered with the time at which it found none left. So the last call may find one of them idle, as a worker.
_ALONE = """
import os, sys, time
from loadtest.peers.scale_functions import burn_stamped
rounds, calls = int(sys.argv[1]), int(sys.argv[2])
burn_stamped(rounds)
print("ready", flush=True)
for _ in sys.stdin:
    try:
        while os.read(calls, 1):
            burn_stamped(rounds)
    except BlockingIOError:
        pass
    print(time.monotonic(), flush=True)
"""

Stamp = tuple[float, int, float, float, float]


def scale(
    transports: Sequence[str], repeats: int, seconds: float, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure on each transport, the ideal before and after each.

    Args:
        transports: which.
        repeats: how often, for the Python client; h2load _WINDOWS times as often.
        seconds: about how long each lasts; the Python client's three times as long.
        folder: for settings.
        say: is told how it goes.

    Returns:
        By transport: rates, the ideal's rates, their ratios (with h2load, and with a Python client), the part of the
        workers' time that was idle while a call waited, the longest such time in seconds, and the part of the calls
        that the busier worker ran.
    """
    results: dict[str, Any] = {}
    for transport in transports:
        say(f"scale, {transport}: {_WORKERS} workers, {_CALLERS} callers")
        settings = _SETTINGS.format(transport=transport, folder=Path(__file__).parent)
        rows: dict[str, list[float]] = {
            name: [] for name in ("rate", "ideal", "ratio", "python_ratio", "idle_part", "longest_idle", "busiest_part")
        }
        with (
            serve(settings, folder, f"scale-{transport}", None) as server,
            callgate.connect(server.address) as gate,
            _Alone() as alone,
        ):
            _calls(gate, 0.2)
            calls = 2 * _WORKERS
            for _ in range(2):  # the second time they are as many as take so long
                before = alone.rate(calls)
                calls = _WORKERS * max(1, round(before * seconds / _WORKERS))
            for _ in range(repeats):
                ideals = []
                for _ in range(_WINDOWS):
                    rate = _flood(server, calls)
                    after = alone.rate(calls)
                    # Of before and after: a machine that slows down or speeds up meanwhile does so for both sides.
                    ideal, before = (before + after) / 2, after
                    ideals.append(ideal)
                    for name, value in (("rate", rate), ("ideal", ideal), ("ratio", rate / ideal)):
                        rows[name].append(value)
                stamps, python_rate = _calls(gate, 3 * seconds)
                idle, longest = idle_while_waiting(stamps)
                workers = [worker for _, worker, *_ in stamps]
                busiest = max(workers.count(worker) for worker in set(workers)) / len(workers)
                took = max(stamp[4] for stamp in stamps) - min(stamp[0] for stamp in stamps)
                for name, value in (
                    ("python_ratio", python_rate / statistics.median(ideals)),
                    ("idle_part", idle / (_WORKERS * took)),
                    ("longest_idle", longest),
                    ("busiest_part", busiest),
                ):
                    rows[name].append(value)
        results[transport] = rows
        say(
            f"  {statistics.median(rows['ratio']):.3f} of the ideal, "
            f"idle while a call waits {100 * statistics.median(rows['idle_part']):.2f} % of the workers' time"
        )
    return results


class _Alone:
    """The ideal: so many processes with no server; use it in a `with` statement."""

    def __init__(self) -> None:
        self._left, self._calls = os.pipe()
        os.set_blocking(self._left, False)
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-c", _ALONE, str(BURN_ROUNDS), str(self._left)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=ROOT, pass_fds=[self._left],
            )
            for _ in range(_WORKERS)
        ]  # fmt: skip
        for process in self._processes:
            _line(process)

    def __enter__(self) -> _Alone:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()
        os.close(self._left)
        os.close(self._calls)

    def rate(self, calls: int) -> float:
        """Make so many calls; calls a second."""
        os.write(self._calls, bytes(calls))
        began = time.monotonic()
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
        return calls / (max(float(_line(process)) for process in self._processes) - began)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"a process of the ideal ended with {process.wait()}")
    return line


def _flood(server: ServerProcess, requests: int) -> float:
    """Calls a second with h2load."""
    call = message("scale_functions", "burn_stamped", BURN_ROUNDS, [0.0, 0.0, 0.0])
    cores = os.sched_getaffinity(0)
    return flood(server.address, call, callers=_CALLERS, requests=requests, server=server.process.pid, cores=cores).rate


def _calls(gate: callgate.Gate, seconds: float) -> tuple[list[Stamp], float]:
    """Call from all callers for a while.

    Returns:
        For each call when it was sent, who ran it, from when, until when, when the answer was there; calls a second.
    """
    stamps: list[Stamp] = []
    errors: list[Exception] = []
    until = time.monotonic() + seconds

    def caller() -> None:
        while time.monotonic() < until:
            sent = time.monotonic()
            try:
                worker, began, ended = gate.call("scale_functions", "burn_stamped", BURN_ROUNDS)
            except Exception as error:
                errors.append(error)
                return
            stamps.append((sent, int(worker), began, ended, time.monotonic()))

    threads = [threading.Thread(target=caller) for _ in range(_CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    # Only what ended while all callers were still calling: the last calls find nobody behind them.
    full = [stamp for stamp in stamps if stamp[4] <= until]
    return stamps, len(full) / seconds


def idle_while_waiting(stamps: Sequence[Stamp]) -> tuple[float, float]:
    """How long workers idled while a call waited.

    A worker idles from the end of a call to the beginning of its next one, a call waits from when it was sent until it
    begins; so the way of the request and the worker's own way to its next call count, too.

    Args:
        stamps: calls, as `_calls` returns them.

    Returns:
        Seconds in all, and the longest at a time.
    """
    gaps = []
    for worker in {stamp[1] for stamp in stamps}:
        ran = sorted((began, ended) for _, one, began, ended, _ in stamps if one == worker)
        gaps += [(before[1], after[0]) for before, after in itertools.pairwise(ran)]
    waits = [(sent, began) for sent, _, began, _, _ in stamps]
    total = longest = 0.0
    for start, end in gaps:
        # The part of the gap in which at least one call waited: calls overlap, so they are merged first.
        covered, reached = 0.0, start
        for sent, began in sorted(waits):
            low, high = max(sent, reached), min(began, end)
            if high > low:
                covered += high - low
                reached = high
        total += covered
        longest = max(longest, covered)
    return total, longest
