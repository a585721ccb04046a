"""What each executor gives beside `serial`, and what it costs."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import callgate
from callgate._wire import call_request
from callgate.v1 import function_service_pb2 as pb
from callgate_server.server import Server
from callgate_server.settings import Settings
from loadtest.bench.figure import Figure
from loadtest.server import ServerProcess, on_cores

__all__ = ["run"]

_FUNCTIONS = str(Path(__file__).with_name("bench_functions.py"))
_MODULE = "bench_functions"

#: Alternating repetitions; medians of an odd number.
_REPEATS = 5
_CLIENTS = 4
#: About 25 ms each: long beside the way there and back.
_ROUNDS = 250_000
_CALLS_EACH = 10


def run() -> list[Figure]:
    """All figures of the executors."""
    return [*speedups(), *added_costs(), bystander(), recovery(), quarantine()]


def speedups() -> list[Figure]:
    """CPU-bound pure Python from 4 clients: two workers beside `serial`, all on the same two cores."""
    servers = {
        "serial": ServerProcess(_FUNCTIONS),
        "interpreters": ServerProcess(_FUNCTIONS, "--executor", "pair", env=_pair("interpreters")),
        "processes": ServerProcess(_FUNCTIONS, "--executor", "pair", env=_pair("processes")),
    }
    rates: dict[str, list[float]] = {name: [] for name in servers}
    try:
        gates = {name: callgate.connect(server.address) for name, server in servers.items()}
        for gate in gates.values():
            _together(gate, _CLIENTS, lambda one: one.call(_MODULE, "burn", 1000))
        for _ in range(_REPEATS):
            for name, gate in gates.items():
                took = _together(gate, _CLIENTS, _burns)
                rates[name].append(_CLIENTS * _CALLS_EACH / took)
        for gate in gates.values():
            gate.close()
    finally:
        for server in servers.values():
            server.stop()
    figures = []
    for name in ("interpreters", "processes"):
        ratios = [ours / base for ours, base in zip(rates[name], rates["serial"], strict=True)]
        ours, base = statistics.median(rates[name]), statistics.median(rates["serial"])
        figures.append(
            Figure(
                name=f"CPU-bound calls from {_CLIENTS} clients: {name} (2) / serial",
                ratio=statistics.median(ratios),
                target=1.8,
                at_most=False,
                spread=(min(ratios), max(ratios)),
                notes=f"{ours:.1f} beside {base:.1f} calls/s of about 25 ms",
            )
        )
    return figures


def _burns(gate: callgate.Gate) -> None:
    for _ in range(_CALLS_EACH):
        gate.call(_MODULE, "burn", _ROUNDS)


def added_costs() -> list[Figure]:
    """A small call through the dispatcher, on one core: what each executor adds to `serial`'s time."""
    kinds = ("serial", "threads", "interpreters", "processes")
    request = call_request(_MODULE, "small", [16.0], {}, 1 << 20)
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    servers: dict[str, Server] = {}
    with on_cores({min(os.sched_getaffinity(0))}):  # workers inherit it
        try:
            for kind in kinds:
                servers[kind] = Server(
                    Settings(
                        listen="127.0.0.1:0",
                        expose=({"functions": (f"{_MODULE}.small",), "executor": "one"},),
                        executors={"one": {"kind": kind, **({"workers": 1} if kind[:3] in ("int", "pro") else {})}},
                        path=(Path(_FUNCTIONS).parent,),
                    )
                )
                servers[kind].start()
            for number in range(_REPEATS + 1):
                for kind, server in servers.items():
                    seconds = _per_call(server, request, 3000)
                    if number:  # the first round warms
                        took[kind].append(seconds)
        finally:
            for server in servers.values():
                server.stop(1.0)
    added = {
        kind: [1e6 * (ours - base) for ours, base in zip(took[kind], took["serial"], strict=True)] for kind in kinds[1:]
    }
    shown = ", ".join(f"{kind} {statistics.median(values):+.1f} µs" for kind, values in added.items())
    ours = added["interpreters"]
    return [
        Figure(
            name="small call: interpreters' added cost over serial / 40 µs",
            ratio=statistics.median(ours) / 40,
            target=1.0,
            at_most=True,
            spread=(min(ours) / 40, max(ours) / 40),
            notes=f"serial {1e6 * statistics.median(took['serial']):.1f} µs a call on one core; added: {shown}",
        )
    ]


def _per_call(server: Server, payload: bytes, calls: int) -> float:
    parse, call = pb.CallFunctionRequest.FromString, server.dispatcher.call
    began = time.perf_counter()
    for _ in range(calls):
        call(parse(payload), payload)
    return (time.perf_counter() - began) / calls


def bystander() -> Figure:
    """p99 of math.sqrt on `serial` while a function burns CPU in `processes`, beside the same without it."""
    env = {"CALLGATE_EXPOSE": f'[{{"functions": ["{_MODULE}.*"], "executor": "processes"}}]', **_path()}
    ratios, idle_us, busy_us = [], [], []
    with ServerProcess("math.sqrt", env=env) as server, callgate.connect(server.address) as gate:
        _p99(gate, 500)
        for _ in range(_REPEATS):
            idle = _p99(gate, 1500)
            done = threading.Event()
            burning = threading.Thread(target=_burn_until, args=(server.address, done))
            burning.start()
            busy = _p99(gate, 1500)
            done.set()
            burning.join()
            ratios.append(busy / idle)
            idle_us.append(1e6 * idle)
            busy_us.append(1e6 * busy)
    return Figure(
        name="p99 of math.sqrt on serial while processes burn CPU / idle",
        ratio=statistics.median(ratios),
        target=2.0,
        at_most=True,
        spread=(min(ratios), max(ratios)),
        notes=f"{statistics.median(busy_us):.0f} beside {statistics.median(idle_us):.0f} µs, one caller",
    )


def _burn_until(address: str, done: threading.Event) -> None:
    with callgate.connect(address) as gate:
        while not done.is_set():
            gate.call(_MODULE, "burn", 4 * _ROUNDS)


def _p99(gate: callgate.Gate, calls: int) -> float:
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        gate.call("math", "sqrt", 16.0)
        took.append(time.perf_counter() - began)
    return statistics.quantiles(took, n=100)[98]


def recovery() -> Figure:
    """Seconds after two endless loops passed their deadline on two workers, until both workers take calls again."""
    nap, took = 0.2, []
    server = ServerProcess(_FUNCTIONS, "--executor", "pair", env=_pair("processes"))
    with server, callgate.connect(server.address) as gate:
        for _ in range(_REPEATS):
            _together(gate, 2, _loop_past_its_deadline)
            took.append(_together(gate, 2, lambda one: one.call(_MODULE, "nap", nap)) - nap)
    return Figure(
        name="full capacity after endless loops on both workers / 1 s",
        ratio=statistics.median(took),
        target=1.0,
        at_most=True,
        spread=(min(took), max(took)),
        notes="from the deadline to both workers' next calls, processes (2)",
    )


def quarantine() -> Figure:
    """Others' throughput while a function that kills its workers is called all the time, beside one that only raises.

    Both are called at the same pace, so that what is compared is what a quarantined function does to its neighbours.
    """
    ratios, rates = [], []
    server = ServerProcess(_FUNCTIONS, "--executor", "pair", env=_pair("processes"))
    with server, callgate.connect(server.address) as gate:
        for _ in range(6):  # into quarantine, and through its first trials
            _bad_call(gate, "die")
        for _ in range(_REPEATS):
            both = {}
            for name in ("fail", "die"):
                done = threading.Event()
                caller = threading.Thread(target=_bad_calls, args=(gate, name, done))
                caller.start()
                both[name] = 4 * 400 / _together(gate, 4, _small_calls)
                done.set()
                caller.join()
            ratios.append(both["die"] / both["fail"])
            rates.append(both["die"])
    return Figure(
        name="others' throughput beside a quarantined function / beside one that only raises",
        ratio=statistics.median(ratios),
        target=0.95,
        at_most=False,
        spread=(min(ratios), max(ratios)),
        notes=f"{statistics.median(rates):,.0f} calls/s from 4 clients on processes (2); the bad one 50 times a second",
    )


def _bad_call(gate: callgate.Gate, name: str) -> None:
    try:
        gate.call(_MODULE, name)
    except callgate.CallgateError:
        return
    raise RuntimeError(f"{name} returned")


def _bad_calls(gate: callgate.Gate, name: str, done: threading.Event) -> None:
    while not done.wait(0.02):
        _bad_call(gate, name)


def _small_calls(gate: callgate.Gate) -> None:
    for number in range(400):
        if gate.call(_MODULE, "small", float(number)) != number:
            raise RuntimeError("a wrong answer")


def _loop_past_its_deadline(gate: callgate.Gate) -> None:
    try:
        gate.call(_MODULE, "forever", timeout=0.3)
    except callgate.DeadlineExceeded:
        return
    raise RuntimeError("an endless loop ended")


def _together(gate: callgate.Gate, clients: int, work: Callable[[callgate.Gate], object]) -> float:
    """Run `work` on so many threads at once; the seconds until all are done."""
    errors: list[BaseException] = []

    def one() -> None:
        try:
            work(gate)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if errors:
        raise errors[0]
    return took


def _pair(kind: str) -> dict[str, str]:
    return {"CALLGATE_EXECUTORS": f'{{"pair": {{"kind": "{kind}", "workers": 2}}}}'}


def _path() -> dict[str, str]:
    return {"CALLGATE_PATH": f'["{Path(_FUNCTIONS).parent}"]'}
