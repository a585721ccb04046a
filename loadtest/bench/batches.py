"""Many calls at once: `map` and `submit` beside single calls and beside other RPC systems; streams beside bare grpcio.

Servers run on one core, clients on another: this process's for Callgate, processes of .venv-peers for the peers.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

import callgate
from loadtest.bench import bare_stream_server
from loadtest.bench.figure import Figure
from loadtest.server import ROOT, ServerProcess, on_cores

__all__ = ["run"]

#: Alternating repetitions; medians of an odd number.
_REPEATS = 7

#: Calls and items of one repetition: about half a second each here, but for single calls, of which as many would take
#: twenty times as long.
_MAPPED, _CALLED = 30_000, 1_500
_THREADS, _EACH_SUBMITS, _EACH_CALLS = 64, 150, 30
#: Of 10 ms each, one after the other: 2 s a repetition.
_EACH_UNGATHERED = 3
_PEERS_CALLS = 10_000
_ITEMS = 15_000

_PEERS = ROOT / ".venv-peers/bin/python"
_FUNCTIONS = str(Path(__file__).with_name("bench_functions.py"))


def run() -> list[Figure]:
    """All figures of batches and streams."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError("the server and the client need a core each; this machine gives one")
    server_core, client_core = {cores[0]}, {cores[-1]}
    server = ServerProcess("math", _FUNCTIONS, cores=server_core)
    with server, on_cores(client_core), callgate.connect(server.address) as gate:
        return [
            mapped(gate),
            submitted(gate),
            gathered(gate),
            *beside_peers(gate, server_core, client_core),
            streamed(gate, server_core),
        ]


def mapped(gate: callgate.Gate) -> Figure:
    """`map` beside one call after another."""
    return _figure(
        "map(math.sqrt) / sequential calls",
        15.0,
        _alternating(lambda: _map_rate(gate), lambda: _call_rate(gate)),
        "calls/s, one thread",
    )


def submitted(gate: callgate.Gate) -> Figure:
    """`submit` beside `call`, each from 64 threads that wait for each result."""
    return _figure(
        f"submit from {_THREADS} threads / call from {_THREADS} threads",
        4.0,
        _alternating(
            lambda: _threads_rate(lambda: gate.submit("math", "sqrt", 16.0).result(), _EACH_SUBMITS),
            lambda: _threads_rate(lambda: gate.call("math", "sqrt", 16.0), _EACH_CALLS),
        ),
        "calls/s, each thread waits for each result",
    )


def gathered(gate: callgate.Gate) -> Figure:
    """A vectorised function with a fixed cost, its calls gathered by the server, beside the same without gathering."""
    return _figure(
        f"a function with a fixed cost of 10 ms, {_THREADS} callers: @callgate.batched / not",
        10.0,
        _alternating(
            lambda: _threads_rate(lambda: gate.call("bench_functions", "roots", 16.0), _EACH_CALLS),
            lambda: _threads_rate(lambda: gate.call("bench_functions", "root", 16.0), _EACH_UNGATHERED),
        ),
        "calls/s, each thread waits for each result",
    )


def beside_peers(gate: callgate.Gate, server_core: set[int], client_core: set[int]) -> list[Figure]:
    """`map` beside what RPyC and Pyro have for many calls of the same function."""
    figures = []
    for script, name in (
        ("peers_rpyc", "RPyC 6's pipelined async_ calls"),
        ("peers_pyro", "Pyro5's batch proxy"),
    ):
        command = (str(_PEERS), "-m", f"loadtest.bench.{script}")
        with ServerProcess(command=(*command, "serve"), cwd=ROOT, cores=server_core) as peer:
            address = peer.address

            def peer_rate(command: tuple[str, ...] = command, address: str = address) -> float:
                with on_cores(client_core):
                    done = subprocess.run(
                        [*command, "load", address, str(_PEERS_CALLS)],
                        cwd=ROOT,
                        check=True,
                        capture_output=True,
                        text=True,
                        timeout=120,
                    )
                return float(done.stdout)

            pairs = _alternating(lambda: _map_rate(gate), peer_rate)
        figures.append(_figure(f"map(math.sqrt) / {name}", 3.0, pairs, "calls/s of math.sqrt, one client"))
    return figures


def streamed(gate: callgate.Gate, server_core: set[int]) -> Figure:
    """StreamFunction's messages beside those of a bare server-streaming handler, read by the same bare client."""
    bare = ServerProcess(
        command=(sys.executable, "-m", "loadtest.bench.bare_stream_server"), cwd=ROOT, cores=server_core
    )
    with bare, grpc.insecure_channel(bare.address) as channel:
        send: Any = channel.unary_stream(f"/{bare_stream_server.SERVICE}/{bare_stream_server.METHOD}")

        def bare_rate() -> float:
            return _items_rate(lambda: sum(1 for _ in send(str(_ITEMS).encode())))

        def our_rate() -> float:
            size = bare_stream_server.ITEM_BYTES
            return _items_rate(lambda: sum(1 for _ in gate.stream("bench_functions", "items", _ITEMS, size)))

        pairs = _alternating(our_rate, bare_rate)
    return _figure(
        "stream: StreamFunction / bare grpcio server-streaming handler", 0.9, pairs,
        "items/s of 100 bytes; ours decoded by gate.stream, the bare ones not",
    )  # fmt: skip


def _figure(name: str, target: float, pairs: list[tuple[float, float]], what: str) -> Figure:
    ratios = [ours / theirs for ours, theirs in pairs]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Figure(
        name=name,
        ratio=statistics.median(ratios),
        target=target,
        at_most=False,
        spread=(min(ratios), max(ratios)),
        notes=f"{ours:,.0f} beside {theirs:,.0f} {what}",
    )


def _alternating(ours: Callable[[], float], theirs: Callable[[], float]) -> list[tuple[float, float]]:
    """Pairs of rates; who goes first alternates too, in case the machine slows down or speeds up meanwhile."""
    ours(), theirs()  # warm
    pairs = []
    for number in range(_REPEATS):
        if number % 2:
            yardstick = theirs()
            pairs.append((ours(), yardstick))
        else:
            rate = ours()
            pairs.append((rate, theirs()))
    return pairs


def _map_rate(gate: callgate.Gate) -> float:
    began = time.perf_counter()
    count = 0
    for _ in gate.map("math", "sqrt", map(float, range(_MAPPED))):
        count += 1
    if count != _MAPPED:
        raise RuntimeError(f"{count} results of {_MAPPED}")
    return count / (time.perf_counter() - began)


def _call_rate(gate: callgate.Gate) -> float:
    began = time.perf_counter()
    for number in range(_CALLED):
        gate.call("math", "sqrt", float(number))
    return _CALLED / (time.perf_counter() - began)


def _threads_rate(one: Callable[[], object], each: int) -> float:
    errors: list[BaseException] = []

    def client() -> None:
        try:
            for _ in range(each):
                if one() != 4.0:
                    raise RuntimeError("a wrong answer")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=client) for _ in range(_THREADS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if errors:
        raise errors[0]
    return _THREADS * each / took


def _items_rate(read: Callable[[], int]) -> float:
    began = time.perf_counter()
    count = read()
    if count != _ITEMS:
        raise RuntimeError(f"{count} items of {_ITEMS}")
    return count / (time.perf_counter() - began)
