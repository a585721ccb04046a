"""What a call through Callgate costs beside the transport alone, and what a server costs before its first call."""

from __future__ import annotations

import os
import statistics
import sys
import time

import callgate
import callgate.values
from callgate._wire import call_request
from callgate.v1 import function_service_pb2 as pb
from loadtest.bench.bare_server import METHOD, SERVICE
from loadtest.bench.figure import Figure
from loadtest.bench.h2load import load
from loadtest.server import ROOT, ServerProcess

__all__ = ["run"]

#: Pairs of runs, and calls in each: about 3 s a run on one core here, long beside a scheduler's hiccups.
PAIRS = 7
REQUESTS = 8_000

STARTS = 7

#: What `make run` serves.
TARGETS = (
    "math", "statistics", "json.dumps", "json.loads", "builtins.len", "builtins.abs", "builtins.sum", "examples/",
)  # fmt: skip


def run() -> list[Figure]:
    """All figures of the gate."""
    return [capacity(), capacity(timeout="20S"), native_capacity(), *starts()]


def capacity(timeout: str = "") -> Figure:
    """How many calls of math.sqrt a server on one core answers, beside a bare echo on the same transport.

    Args:
        timeout: the deadline that each call carries; most clients set one.
    """
    return _capacity("grpcio", 0.92, timeout=timeout)


def native_capacity() -> Figure:
    """The same on the native transport, beside the same bare echo; 128 calls at once, since 32 leave it waiting."""
    return _capacity("native", 10.0, streams=32, times=5)


def _capacity(transport: str, target: float, *, timeout: str = "", streams: int = 8, times: int = 1) -> Figure:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError("the server and the load need a core each; this machine gives one")
    server_core, load_core = {cores[0]}, {cores[-1]}
    request = call_request("math", "sqrt", [16.0], {}, 1 << 20)
    echo = (sys.executable, "-m", "loadtest.bench.bare_server")
    bare = ServerProcess(command=echo, cwd=ROOT, cores=server_core)
    # For the notes: the echo on Callgate's own thread pool, so that nobody takes the pool's gain for less work.
    pooled = ServerProcess("--own-pool", command=echo, cwd=ROOT, cores=server_core)
    gate = ServerProcess("math", "--transport", transport, cores=server_core)

    def rate(server: ServerProcess, response: bytes, requests: int) -> float:
        return load(
            server.address, f"{SERVICE}/{METHOD}", request, len(response),
            requests=requests * (times if server is gate else 1), timeout=timeout, cores=load_core, streams=streams,
        )  # fmt: skip

    with bare, pooled, gate:
        answer = _answer(gate.address)
        order = [(bare, request), (gate, answer), (pooled, request)]
        for server, response in order:
            rate(server, response, REQUESTS // 8)  # warm: every pool thread started
        runs = []
        for _ in range(PAIRS):
            rates = {server: rate(server, response, REQUESTS) for server, response in order}
            runs.append((rates[gate], rates[bare], rates[pooled]))
            order.reverse()  # who goes first alternates too, in case the machine slows down or speeds up meanwhile
        assert _answer(gate.address) == answer
    ratios = [ours / yardstick for ours, yardstick, _ in runs]
    ours, yardstick, on_pool = (statistics.median(column) for column in zip(*runs, strict=True))
    return Figure(
        name=f"capacity: CallFunction(math.sqrt){', with a deadline' * bool(timeout)}"
        f"{', native transport' * (transport == 'native')} / bare grpcio echo",
        ratio=statistics.median(ratios),
        target=target,
        at_most=False,
        spread=(min(ratios), max(ratios)),
        notes=f"{ours:,.0f} beside {yardstick:,.0f} calls/s, server on one core; "
        f"the echo on Callgate's thread pool {on_pool:,.0f}",
    )


def _answer(address: str) -> bytes:
    """The serialized answer to math.sqrt(16.0), after a client has seen that it is 4.0."""
    with callgate.connect(address) as gate:
        if gate.call("math", "sqrt", 16.0) != 4.0:
            raise RuntimeError("the server answers wrongly")
    response = pb.CallFunctionResponse()
    callgate.values.encode(4.0, response.value)
    return response.SerializeToString()


def starts() -> list[Figure]:
    """Seconds from starting a server to its first answer, and the memory it then holds."""
    seconds, sizes = [], []
    for _ in range(STARTS):
        began = time.perf_counter()
        with ServerProcess(*TARGETS, cwd=ROOT) as server, callgate.connect(server.address) as gate:
            assert gate.call("math", "sqrt", 16.0) == 4.0
            seconds.append(time.perf_counter() - began)
            sizes.append(server.rss_bytes() / 1e6)
    return [
        _of_limit("server start to first answer / 1.5 s", seconds, 1.5, "s"),
        _of_limit("resident memory, idle after one call / 80 MB", sizes, 80.0, "MB"),
    ]


def _of_limit(name: str, values: list[float], limit: float, unit: str) -> Figure:
    return Figure(
        name=name,
        ratio=statistics.median(values) / limit,
        target=1.0,
        at_most=True,
        spread=(min(values) / limit, max(values) / limit),
        notes=f"{statistics.median(values):.3g} {unit}, as `make run` serves",
    )
