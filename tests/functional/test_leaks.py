"""Nothing grows with the number of calls: 200,000 of every kind, exceptions included."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import callgate
from callgate.failures import CallFailed
from callgate.v1 import function_service_pb2 as pb
from callgate.values import encode

M = "served_functions"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc"),
]

#: Growth that is none: what allocators, caches and the interpreter's own free lists do in a while. A leak of one object
#: a call would be a hundred times this, one of 100 bytes a call three times.
OBJECTS = 2_000
RESIDENT = 6 << 20


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def census() -> tuple[int, int]:
    """How many objects the collector knows, and how much memory the process has."""
    for _ in range(3):
        gc.collect()
    return len(gc.get_objects()), resident()


def assert_flat(work: Callable[[int], None], *, warm_up: int, calls: int) -> None:
    """Assert that `work(calls)` leaves no more behind than `work(warm_up)` did."""
    work(warm_up)
    objects, memory = census()
    work(calls)
    objects_after, memory_after = census()
    assert objects_after - objects < OBJECTS
    assert memory_after - memory < RESIDENT


def request(function: str, *args: object, **kwargs: object) -> tuple[pb.CallFunctionRequest, bytes]:
    made = pb.CallFunctionRequest(module=M, function=function)
    for value in args:
        encode(value, made.args.add())
    for name, value in kwargs.items():
        encode(value, made.kwargs[name])
    return made, made.SerializeToString()


def test_the_dispatcher_keeps_nothing_of_180_000_calls(serve):
    dispatcher = serve().dispatcher
    undecodable = pb.CallFunctionRequest(module=M, function="echo")
    undecodable.args.add()
    mix = [
        (request("echo", [1, "two", {"three": 3.0}]), True),
        (request("add", 1, right=2), True),
        (request("shape", 1, 2, c=3), True),
        (request("nothing"), True),
        (request("boom", "text"), False),
        (request("refuse_order", 7), False),
        (request("unspeakable"), False),
        (request("add"), False),
        (request("no_such_function"), False),
        ((undecodable, undecodable.SerializeToString()), False),
    ]

    def work(calls: int) -> None:
        for number in range(calls):
            (message, payload), fine = mix[number % len(mix)]
            # Half have a deadline an hour away, which the ladder must not keep until then.
            deadline = time.monotonic() + 3600 if number % 4 < 2 else None
            try:
                dispatcher.call(message, payload, deadline=deadline)
            except CallFailed:
                assert not fine
            else:
                assert fine

    assert_flat(work, warm_up=20_000, calls=160_000)


def test_server_and_client_keep_nothing_of_20_000_calls_over_a_socket(address):
    def outcome(number: int) -> str:
        try:
            return str(gate.call(M, "boom" if number % 4 == 0 else "echo", f"{number}", timeout=3600))
        except ValueError as error:
            return f"raised {error}"

    def calls_of(number: int) -> None:
        for k in range(number):
            assert outcome(k) == (f"raised {k}" if k % 4 == 0 else f"{k}")

    def work(calls: int) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(calls_of, [calls // 4] * 4))

    with callgate.connect(address) as gate:
        assert_flat(work, warm_up=4_000, calls=16_000)
