"""Large arrays and bytes over a real socket: another way through both sides, and nothing else is different."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
import served_functions

import callgate
from callgate.values.large import LARGE
from callgate_server.call import Call
from callgate_server.settings import KINDS
from callgate_server.transports.native_call import NativeCall
from tests.contract.test_waiting import wait_until

M = "served_functions"
ARRAY = numpy.arange(LARGE // 4, dtype="float64").reshape(2, -1)
BYTES = bytes(range(256)) * (LARGE // 128)


@pytest.mark.parametrize("value", [ARRAY, BYTES, ARRAY[:, ::-2], ARRAY > 7], ids=["array", "bytes", "strided", "bools"])
def test_it_comes_back_as_it_went(gate, value):
    back = gate.call(M, "echo", value)
    assert type(back) is type(value)
    assert numpy.array_equal(numpy.asarray(back), numpy.asarray(value))
    if isinstance(back, numpy.ndarray):
        assert back.dtype == value.dtype
        back[0] = 0  # it is the caller's own


def test_it_stands_beside_other_arguments(gate):
    one, data, (array, text), keyword, four, more = gate.call(M, "shape", 1, BYTES, ARRAY, "x", c=ARRAY, e=None)
    assert (one, data, text, four, more) == (1, BYTES, "x", 4, {"e": None})
    assert (array == ARRAY).all()
    assert (keyword == ARRAY).all()


def test_a_function_can_write_to_its_argument(gate):
    mine = ARRAY.copy()
    assert (gate.call(M, "overwrite", mine) == 7).all()
    assert (mine == ARRAY).all()


def test_a_call_that_fails_fails_as_a_small_one(gate, serve):
    with pytest.raises(TypeError, match="can only concatenate") as caught:
        gate.call(M, "join_untyped", [], BYTES)
    assert isinstance(caught.value, callgate.RemoteError)
    with pytest.raises(callgate.InvalidCall, match="the signature is nothing"):
        gate.call(M, "nothing", ARRAY)
    with pytest.raises(callgate.FunctionNotFound):
        gate.call(M, "none", ARRAY)
    assert gate.call(M, "echo", 1) == 1
    limited = serve(limits={"message": LARGE // 2})
    with callgate.connect(limited.address) as other, pytest.raises(callgate.Exhausted, match="takes at most"):
        other.call(M, "echo", ARRAY)


def test_its_deadline_and_its_connection_may_end(gate, serve):
    with pytest.raises(callgate.DeadlineExceeded):
        gate.call(M, "wait_for", "a large one", ARRAY, timeout=0.2)
    served_functions.event("a large one").set()
    server = serve(shared=False)
    with callgate.connect(server.address) as other:
        assert other.call(M, "echo", BYTES) == BYTES
        server.stop(0.0)
        with pytest.raises(callgate.Unavailable):
            other.call(M, "echo", BYTES)


def test_the_asyncio_client_does_the_same(serve):
    async def calls():
        async with callgate.aio.connect(serve().address) as gate:
            return await asyncio.gather(gate.call(M, "echo", ARRAY), gate.call(M, "echo", BYTES))

    array, data = asyncio.run(calls())
    assert (array == ARRAY).all()
    assert data == BYTES


def test_a_worker_process_takes_it(serve):
    far = {"functions": (f"{M}.*",), "executor": "far"}
    server = serve(executors={"far": {"kind": "processes", "workers": 1}}, expose=[far])
    with callgate.connect(server.address) as gate:
        assert (gate.call(M, "echo", ARRAY) == ARRAY).all()
        assert gate.call(M, "echo", BYTES) == BYTES


def test_many_at_once_are_not_mixed_up(gate):
    def mine(number):
        return numpy.full(LARGE // 8 + number, number, dtype="float64")

    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda number: gate.call(M, "echo", mine(number)), range(64))
        for number, answer in enumerate(answers):
            assert numpy.array_equal(answer, mine(number))


@pytest.mark.parametrize("transport", ["grpcio", "native"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_call_waits_for_the_garbage_collector(serve, transport, kind):
    """Few large calls make few objects: the collector may not come for a thousand of them, each with its request."""
    rule = {"functions": ("kept_functions.*",), "executor": "one"}
    server = serve(transport=transport, executors={"one": {"kind": kind}}, expose=[rule])
    suffix = "_async" if kind == "coroutines" else ""

    def calls() -> int:
        return sum(type(one) in (Call, NativeCall) for one in gc.get_objects())

    with callgate.connect(server.address) as gate:

        def call(function: str, **kwargs: object) -> object:
            timeout = 0.05 if function == "until_left" else None
            return gate.call_with("kept_functions", function + suffix, (BYTES,), kwargs, timeout=timeout)

        assert call("echo") == BYTES
        gc.collect()
        gc.disable()
        try:
            before = calls()
            for _ in range(10):
                call("echo")
                with pytest.raises(callgate.InvalidCall):
                    call("echo", unknown=1)
                with pytest.raises(callgate.DeadlineExceeded):
                    call("until_left")
            wait_until(lambda: calls() <= before)
        finally:
            gc.enable()
