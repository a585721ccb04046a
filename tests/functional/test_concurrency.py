"""Many calls at once: results are asserted, none is lost, swapped, run twice, or run after its deadline."""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
import served_functions

import callgate
import callgate.aio
from callgate.v1 import function_service_pb2 as pb
from callgate_server.server import Server

M = "served_functions"
EXPOSED = [
    {
        "functions": (
            f"{M}.*",
            "math.*",
            "statistics.*",
            "json.dumps",
            "json.loads",
            "builtins.len",
            "builtins.sum",
            "builtins.sorted",
        )
    }
]


@pytest.fixture
def server(serve) -> Server:
    return serve(expose=EXPOSED)


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work(0)` … `work(count - 1)` return, started at the same moment on a thread each."""
    together = threading.Barrier(count)

    def one(number: int) -> Any:
        together.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nothing can be notified of; the test's timeout ends it."""
    while not condition():
        time.sleep(0.001)  # yields the processor: there is no event for what another layer has queued


# ------------------------------------------------------------ the four kinds that an embedding library is tested with

WORK: list[tuple[str, str, Callable[[int], Iterable[Any]], Callable[..., Any]]] = [
    ("math", "sqrt", lambda n: [float(n)], math.sqrt),
    ("math", "factorial", lambda n: [n % 50], math.factorial),
    ("statistics", "mean", lambda n: [[n, n + 1, n + 5]], statistics.mean),
    ("json", "dumps", lambda n: [{"n": n, "list": [n] * 3}], json.dumps),
    ("json", "loads", lambda n: [f'{{"n": {n}}}'], json.loads),
    ("builtins", "len", lambda n: [[0] * (n % 100)], len),
    ("builtins", "sum", lambda n: [list(range(n % 100))], sum),
    ("builtins", "sorted", lambda n: [[n, -n, 0]], sorted),
    (M, "echo", lambda n: [f"token {n}"], served_functions.echo),
    (M, "add", lambda n: [n, 2**64], served_functions.add),
]


def check(gate: callgate.Gate, which: int, number: int) -> bool:
    module, function, arguments, local = WORK[which % len(WORK)]
    given = list(arguments(number))
    return bool(gate.call_with(module, function, given) == local(*given))


def test_different_functions_at_once_each_give_their_own_result(server):
    with callgate.connect(server.address) as gate:
        results = in_threads(len(WORK), lambda which: [check(gate, which, number) for number in range(40)])
    assert results == [[True] * 40] * len(WORK)


def test_one_function_shared_by_many_threads_gives_each_its_own_result(server):
    with callgate.connect(server.address) as gate:
        results = in_threads(16, lambda n: [gate.call("math", "sqrt", float(n * 1000 + k)) for k in range(25)])
    assert results == [[math.sqrt(n * 1000 + k) for k in range(25)] for n in range(16)]


@pytest.mark.slow
def test_twenty_four_clients_that_call_rapidly_all_get_their_answers(server):
    def client(number: int) -> list[bool]:
        with callgate.connect(server.address) as gate:
            return [gate.call(M, "echo", [number, k]) == [number, k] for k in range(40)]

    assert in_threads(24, client) == [[True] * 40] * 24


@pytest.mark.slow
def test_mixed_workloads_of_many_clients_all_get_their_answers(server):
    def client(number: int) -> list[bool]:
        with callgate.connect(server.address) as gate:
            return [check(gate, number + k, k) for k in range(30)]

    assert in_threads(20, client) == [[True] * 30] * 20


@pytest.mark.slow
def test_exceptions_among_the_calls_reach_only_who_caused_them(server):
    with callgate.connect(server.address) as gate:

        def client(number: int) -> list[str]:
            seen = []
            for k in range(25):
                try:
                    seen.append(str(gate.call(M, "boom" if (number + k) % 2 else "echo", f"{number}/{k}")))
                except ValueError as error:
                    seen.append(f"raised {error}")
            return seen

        results = in_threads(16, client)
    for number, seen in enumerate(results):
        assert seen == [f"raised {number}/{k}" if (number + k) % 2 else f"{number}/{k}" for k in range(25)]


# ---------------------------------------------------------------------- serialization


@pytest.mark.slow
def test_ten_thousand_racy_increments_from_thirty_two_threads_lose_nothing(server):
    served_functions.counter = 0
    counts = [10_000 // 32 + (number < 10_000 % 32) for number in range(32)]
    with callgate.connect(server.address) as gate:
        seen = in_threads(32, lambda number: [gate.call(M, "increment_racily") for _ in range(counts[number])])
    assert served_functions.counter == 10_000
    assert sorted(value for values in seen for value in values) == list(range(1, 10_001))


@pytest.mark.slow
def test_the_increment_is_racy_without_the_gate():
    """Shows that the proof above proves something: the same function, called directly, does lose updates."""
    import sys

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(50):
            served_functions.counter = 0
            in_threads(8, lambda number: [served_functions.increment_racily() for _ in range(2_000)])
            if served_functions.counter < 16_000:
                return
    finally:
        sys.setswitchinterval(interval)
    pytest.fail("no update was ever lost: the function is not racy enough to prove serialization")


@pytest.mark.slow
def test_answers_are_never_swapped_between_the_calls_of_one_connection(server):
    async def main() -> list[Any]:
        async with callgate.aio.connect(server.address) as gate:
            return await asyncio.gather(*(gate.call(M, "echo", f"token {n}") for n in range(2_000)))

    assert asyncio.run(main()) == [f"token {n}" for n in range(2_000)]


# ---------------------------------------------------------------------- waiting for a turn


class Occupied:
    """A server whose serial executor is held by one call until the block ends."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._name = name
        self._gate = callgate.connect(server.address)
        self._thread = threading.Thread(target=self._gate.call, args=(M, "wait_for", name))

    def __enter__(self) -> Occupied:
        self._thread.start()
        assert served_functions.event(f"{self._name} started").wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        served_functions.event(self._name).set()
        self._thread.join()
        self._gate.close()


def waiting(server: Server) -> int:
    """How many calls wait for a turn."""
    return sum(executor.stats().waiting for executor in server.dispatcher.executors.values())


def test_a_call_whose_deadline_passes_in_the_queue_never_starts(server):
    with callgate.connect(server.address) as gate:
        with Occupied(server, "deadline queue"), pytest.raises(callgate.DeadlineExceeded):
            gate.call(M, "leave_trace", "expired", timeout=0.05)
        gate.call(M, "leave_trace", "after")  # behind it in the queue, had it still been there
    assert ("after", "ran") in served_functions.TRACES
    assert ("expired", "ran") not in served_functions.TRACES


def test_a_call_that_expires_in_the_queue_says_so(serve):
    server = serve(expose=[{"functions": (f"{M}.wait_for",)}, {"functions": (f"{M}.*",), "timeout": "50ms"}])
    with callgate.connect(server.address) as gate, Occupied(server, "expiring queue"):
        with pytest.raises(callgate.DeadlineExceeded) as caught:
            gate.call(M, "leave_trace", "expired by the server")
        assert caught.value.reason == "EXPIRED_IN_QUEUE"
    assert ("expired by the server", "ran") not in served_functions.TRACES


def test_a_call_cancelled_while_it_waits_never_starts(server):
    async def main() -> None:
        async with callgate.aio.connect(server.address) as gate:
            call = asyncio.create_task(gate.call(M, "leave_trace", "cancelled"))
            while not waiting(server):
                await asyncio.sleep(0.001)  # no event tells that a call has been queued
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            while waiting(server):
                await asyncio.sleep(0.001)
            del call

    with Occupied(server, "cancel queue"):
        asyncio.run(main())
    with callgate.connect(server.address) as gate:
        gate.call(M, "leave_trace", "after cancelled")
    assert ("after cancelled", "ran") in served_functions.TRACES
    assert ("cancelled", "ran") not in served_functions.TRACES


def test_a_client_that_disappears_while_it_waits_leaves_the_queue(server):
    gate = callgate.connect(server.address)

    def call() -> None:
        with pytest.raises(callgate.Cancelled):
            gate.call(M, "leave_trace", "gone")

    with Occupied(server, "vanish queue"):
        caller = threading.Thread(target=call)
        caller.start()
        until(lambda: waiting(server) == 1)
        gate.close()
        caller.join()
        until(lambda: waiting(server) == 0)
    assert ("gone", "ran") not in served_functions.TRACES


def test_calls_run_in_the_order_in_which_they_came(server):
    served_functions.TRACES.clear()
    with callgate.connect(server.address) as gate, Occupied(server, "order queue"):
        threads = []
        for number in range(8):
            threads.append(threading.Thread(target=gate.call, args=(M, "leave_trace", number)))
            threads[-1].start()
            until(lambda number=number: waiting(server) == number + 1)
        served_functions.event("order queue").set()
        for thread in threads:
            thread.join()
    assert [(number, "ran") for number in range(8)] == served_functions.TRACES


def test_a_function_that_calls_its_own_executor_fails_at_once(server):
    with callgate.connect(server.address) as gate:
        with pytest.raises(callgate.RemoteError) as caught:
            gate.call(M, "call_back", server.address, M, "echo", 1, timeout=20)
        assert isinstance(caught.value, RuntimeError)
        assert "WOULD_DEADLOCK" in str(caught.value)
        assert gate.call(M, "echo", 2) == 2


def test_a_function_may_call_another_server(server, address):
    assert address != server.address
    with callgate.connect(server.address) as gate:
        assert gate.call(M, "call_back", address, M, "add", 40, 2) == 42


def test_a_circle_through_two_servers_fails_at_once(server, address):
    with callgate.connect(server.address) as gate, pytest.raises(callgate.RemoteError) as caught:
        gate.call(M, "call_back", address, M, "call_back", server.address, M, "echo", 1, timeout=20)
    assert "WOULD_DEADLOCK" in str(caught.value)


# ---------------------------------------------------------------------- floods


@pytest.mark.slow
@pytest.mark.parametrize("wait", [None, 5.0], ids=["connecting with the first call", "connected"])
def test_eight_thousand_calls_at_once_on_a_new_connection_are_all_answered(server, wait):
    async def main() -> Counter[bool]:
        gate = callgate.aio.connect(server.address, wait=wait)
        async with gate:

            async def one(number: int) -> bool:
                return bool(await gate.call(M, "echo", number) == number)

            return Counter(await asyncio.gather(*(one(number) for number in range(8_000))))

    assert asyncio.run(main()) == {True: 8_000}


@pytest.mark.slow
def test_a_flood_of_any_client_is_answered_or_shed_and_never_cancelled(server):
    """8,000 unary calls at once from a bare gRPC channel: by default gRPC's server answered most with CANCELLED."""
    data = pb.CallFunctionRequest(module=M, function="nothing").SerializeToString()

    async def main() -> Counter[str]:
        async with grpc.aio.insecure_channel(server.address) as channel:
            rpc = channel.unary_unary("/callgate.v1.FunctionService/CallFunction")

            async def one() -> str:
                try:
                    await rpc(data)
                except grpc.RpcError as error:
                    return error.code().name
                return "OK"

            return Counter(await asyncio.gather(*(one() for _ in range(8_000))))

    outcomes = asyncio.run(main())
    assert set(outcomes) <= {"OK", "RESOURCE_EXHAUSTED"}
    assert sum(outcomes.values()) == 8_000


def test_a_gate_has_no_more_calls_on_their_way_than_it_was_told(serve):
    server = serve(limits={"calls": 3})  # a fourth at once would be shed
    with callgate.connect(server.address, in_flight=3) as gate:
        assert in_threads(24, lambda number: gate.call(M, "echo", number)) == list(range(24))


def test_a_call_that_waits_for_its_place_in_the_client_keeps_its_deadline(server):
    with callgate.connect(server.address, in_flight=1) as gate:
        holder = threading.Thread(target=gate.call, args=(M, "wait_for", "place"))
        holder.start()
        assert served_functions.event("place started").wait(10)
        try:
            with pytest.raises(callgate.DeadlineExceeded) as caught:
                gate.call(M, "leave_trace", "no place", timeout=0.01)
        finally:
            served_functions.event("place").set()
            holder.join()
    assert caught.value.reason == "EXPIRED_IN_QUEUE"
    assert ("no place", "ran") not in served_functions.TRACES


def test_a_call_from_inside_a_served_call_does_not_wait_for_a_place(server, address):
    """The outer call holds the Gate's only place; the inner one goes to another server through the same Gate."""
    with callgate.connect(address, in_flight=1) as gate:
        served_functions.shared_gate = gate
        assert gate.call(M, "add", 1) == 2
        with callgate.connect(server.address, in_flight=1) as outer:
            holder = threading.Thread(target=gate.call, args=(M, "wait_for", "inner place"))
            holder.start()
            assert served_functions.event("inner place started").wait(10)
            try:
                # Were it to wait for a place, the error would come from the client, and name in_flight; it gets to the
                # server instead, whose one turn the holder has.
                with pytest.raises(callgate.RemoteError) as caught:
                    outer.call(M, "call_through_shared_gate", "leave_trace", "inner", 0.05)
            finally:
                served_functions.event("inner place").set()
                holder.join()
    assert "in_flight" not in str(caught.value)
