"""Gate.stream over a real socket."""

from __future__ import annotations

import gc
import itertools

import batched_functions as functions
import pytest

import callgate

M = "batched_functions"
#: A call that calls back into its own gate waits for it: not on the one serial lane.
EXPOSED = [
    {"functions": (f"{M}.through", f"{M}.hold", f"{M}.hold_or", f"{M}.spin"), "executor": "threads"},
    {"functions": ("math.sqrt", f"{M}.*")},
]


@pytest.fixture
def server(serve):
    functions.reset()
    yield serve(expose=EXPOSED)
    functions.hold_on.set()


@pytest.fixture
def gate(server):
    with callgate.connect(server.address) as made:
        yield made


def test_items_come_in_order_to_the_end_and_the_end_stays_the_end(gate):
    stream = gate.stream(M, "count", 300)
    assert list(stream) == list(range(300))
    assert list(stream) == []


def test_an_exception_comes_after_the_items_before_it_and_then_the_stream_has_ended(gate):
    stream = gate.stream(M, "count_then_fail", 3)
    assert [next(stream) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LookupError, match="no more") as caught:
        next(stream)
    assert isinstance(caught.value, callgate.RemoteError)
    assert list(stream) == []


def test_closing_it_closes_the_generator(gate):
    with gate.stream(M, "count_forever") as stream:
        assert list(itertools.islice(stream, 3)) == [0, 1, 2]
        assert not functions.closed.is_set()
    assert functions.closed.wait(20)
    assert list(stream) == []
    stream.close()


def test_a_stream_that_nothing_refers_to_closes_the_generator(gate):
    stream = gate.stream(M, "count_forever")
    next(stream)
    del stream
    gc.collect()
    assert functions.closed.wait(20)


def test_what_is_no_stream_and_what_is_not_there_are_told_apart(gate):
    with pytest.raises(callgate.FailedPrecondition) as caught:
        next(gate.stream(M, "square", 3))
    assert caught.value.reason == "WRONG_METHOD"
    with pytest.raises(callgate.FunctionNotFound):
        next(gate.stream(M, "nothing"))
    with pytest.raises(callgate.ValueFormError, match=r"args\[0\]"):
        gate.stream(M, "count", object())


@pytest.mark.slow
def test_a_timeout_ends_it(gate):
    with pytest.raises(callgate.DeadlineExceeded):
        for _ in gate.stream(M, "count_forever", timeout=1):
            pass
    assert functions.closed.wait(20)
    with pytest.raises(callgate.DeadlineExceeded, match="never started"):
        gate.stream(M, "count", 3, timeout=0)


def test_a_keyword_named_timeout_reaches_the_function(gate):
    with pytest.raises(callgate.InvalidCall, match="timeout"):
        next(gate.stream_with(M, "count", kwargs={"stop": 2, "timeout": 3}))
    assert list(gate.stream_with(M, "count", kwargs={"stop": 2})) == [0, 1]


def test_closing_the_gate_ends_its_streams_and_no_new_one_starts(server):
    gate = callgate.connect(server.address)
    stream = gate.stream(M, "count_forever")
    assert next(stream) == 0
    gate.close()
    with pytest.raises(callgate.Cancelled, match="closed"):
        list(stream)
    with pytest.raises(RuntimeError, match="this Gate is closed"):
        gate.stream(M, "count", 3)


@pytest.mark.parametrize("how", ["stream", "map", "submit"])
def test_calls_made_from_inside_a_call_carry_its_chain(gate, server, how):
    (outer,) = gate.call(M, "through", server.address, how, timeout=20)
    assert isinstance(outer, str)
    assert outer
