"""The Python runner's many callers: mixed calls whose answers must not be swapped, and calls against the clock."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["measured", "mixed"]

Answer = dict[str, Any]
Request = Mapping[str, Any]


def _in_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def mixed(request: Request, call: Callable[..., Any]) -> Answer:
    calls = request["calls"]
    wrong: list[str] = []
    made = [0] * request["callers"]

    def caller(number: int) -> None:
        for index in range(calls):
            n = number * calls + index
            what, expected = _mixed_call(n, number, index)
            try:
                answer = call(*what)
            except Exception as error:
                answer = error
            made[number] += 1
            if type(answer) is not type(expected) or answer != expected:
                wrong.append(f"caller {number}, call {index}: {what} gave {answer!r}, not {expected!r}")

    _in_threads(request["callers"], caller)
    return {"made": sum(made), "wrong": wrong[:10]}


def _mixed_call(n: int, caller: int, call: int) -> tuple[tuple[Any, ...], Any]:
    kind = n % 4
    if kind == 0:
        return ("math", "sqrt", float(n) * float(n)), float(n)
    if kind == 1:
        return ("json", "dumps", [n, "x"]), f'[{n}, "x"]'
    if kind == 2:
        return ("builtins", "abs", -n), n
    value = {"caller": caller, "call": call}
    return ("conformance_functions", "echo", value), value


def measured(call: Callable[[], float], request: Request) -> Answer:
    if call() != 4.0:
        raise RuntimeError("math.sqrt(16.0) is not 4.0")
    times: list[list[float]] = [[] for _ in range(request["callers"])]
    began = time.perf_counter()
    end = began + request["seconds"]

    def caller(number: int) -> None:
        clock, mine = time.perf_counter, times[number].append
        before = clock()
        while before < end:
            call()
            after = clock()
            mine(after - before)
            before = after

    if request["callers"] == 1:
        caller(0)
    else:
        _in_threads(request["callers"], caller)
    seconds = time.perf_counter() - began
    taken = sorted(itertools.chain(*times))
    return {
        "calls": len(taken),
        "seconds": seconds,
        "p50": statistics.median(taken),
        "p99": taken[int(len(taken) * 0.99)],
    }
