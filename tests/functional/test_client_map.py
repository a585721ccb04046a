"""Gate.map over a real socket."""

from __future__ import annotations

import itertools
import time

import batched_functions as functions
import pytest

import callgate
from tests.functional.test_client_streams import EXPOSED, M

#: Batches that a map reads ahead for.
READ_AHEAD = 3


@pytest.fixture(autouse=True)
def _anew():
    functions.reset()
    yield
    functions.hold_on.set()


@pytest.fixture
def server(serve):
    return serve(expose=EXPOSED)


@pytest.fixture
def gate(server):
    with callgate.connect(server.address) as made:
        yield made


class Counted:
    """Natural numbers without end, and how many were taken."""

    def __init__(self):
        self.taken = 0

    def __iter__(self):
        while True:
            self.taken += 1
            yield self.taken - 1


def test_results_come_in_order_and_each_call_runs_once(gate):
    assert list(gate.map(M, "square", range(5000))) == [n * n for n in range(5000)]
    assert functions.ran == dict.fromkeys(range(5000), 1)


@pytest.mark.parametrize("chunk", [1, 7, 1000, None])
@pytest.mark.parametrize("ordered", [True, False])
def test_any_chunk_gives_the_same_results(gate, chunk, ordered):
    results = list(gate.map(M, "square", range(100), chunk=chunk, ordered=ordered))
    assert (results if ordered else sorted(results)) == [n * n for n in range(100)]


def test_an_empty_iterable_has_no_results(gate):
    assert list(gate.map(M, "square", [])) == []
    assert list(gate.map(M, "square", [], ordered=False)) == []


@pytest.mark.parametrize("ordered", [True, False])
def test_an_endless_iterable_is_read_no_further_than_a_few_batches_ahead(gate, ordered):
    numbers = Counted()
    results = gate.map(M, "square", numbers, chunk=10, ordered=ordered)
    assert numbers.taken == 0  # nothing before the first result is asked for
    for count, _ in enumerate(itertools.islice(results, 95), 1):
        assert numbers.taken <= count + READ_AHEAD * 10
    results.close()
    assert numbers.taken <= 95 + READ_AHEAD * 10
    assert list(results) == []


def test_a_slow_iterable_gets_each_result_before_it_is_asked_for_much_more(gate):
    numbers = Counted()

    def slow():
        for number in numbers:
            time.sleep(0.006)  # the iterable is slow; nothing is waited for
            yield number

    results = gate.map(M, "square", slow())
    assert next(results) == 0
    assert numbers.taken <= 2
    assert next(results) == 1
    assert numbers.taken <= 4
    results.close()


def test_results_as_they_finish_do_not_wait_for_a_slow_call(gate):
    items = ["hold", *range(9)]
    results = gate.map(M, "hold_or", items, ordered=False, chunk=5)
    quick = [next(results) for _ in range(9)]
    assert sorted(quick) == list(range(9))
    functions.hold_on.set()
    assert list(results) == ["hold"]


def test_an_exception_is_raised_in_its_place_and_ends_the_iteration(gate):
    results = gate.map(M, "fail_on", [(3, n) for n in range(6)], unpack=True)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError) as caught:
        next(results)
    assert isinstance(caught.value, callgate.RemoteError)
    assert list(results) == []


@pytest.mark.parametrize("chunk", [1, 2, None])
@pytest.mark.parametrize("ordered", [True, False])
def test_exceptions_can_be_had_in_place_and_an_item_without_value_form_fails_alone(gate, ordered, chunk):
    items = [(3, 0), (3, object()), (3, 3), 5, (3, 1), (3, lambda: None)]
    results = list(gate.map(M, "fail_on", items, unpack=True, return_exceptions=True, ordered=ordered, chunk=chunk))
    kinds = [r if isinstance(r, int) else type(r) for r in results]
    if ordered:
        assert kinds[:2] == [0, callgate.ValueFormError]
        assert isinstance(results[2], KeyError)
        assert kinds[3:] == [TypeError, 1, callgate.ValueFormError]
        assert results[1].path == "args[1]"
    else:
        assert len(results) == 6
        assert sorted(k for k in kinds if isinstance(k, int)) == [0, 1]


def test_an_exception_of_the_iterable_comes_after_the_results_before_it(gate):
    def numbers():
        yield from range(20)
        raise OSError("the file ended")

    results = gate.map(M, "square", numbers(), chunk=8)
    assert [next(results) for _ in range(20)] == [n * n for n in range(20)]
    with pytest.raises(OSError, match="the file ended"):
        next(results)


@pytest.mark.parametrize("ordered", [True, False])
def test_closing_it_cancels_what_is_on_its_way(gate, server, ordered):
    results = gate.map(M, "hold_or", itertools.chain([1, "hold"], range(10_000)), ordered=ordered, chunk=1000)
    assert next(results) != "hold"
    assert functions.started.wait(20)
    results.close()
    functions.hold_on.set()
    wait_until(lambda: server.dispatcher.admitted == 0)


def test_the_deadline_of_the_whole_is_raised_also_where_exceptions_are_returned(gate):
    results = gate.map(M, "square", Counted(), timeout=0.2, return_exceptions=True, chunk=5)
    with pytest.raises(callgate.DeadlineExceeded):
        for _ in results:
            pass
    with pytest.raises(callgate.DeadlineExceeded, match="never started"):
        list(gate.map(M, "square", [1], timeout=0))


@pytest.mark.slow
def test_a_call_has_a_deadline_of_its_own(gate):
    results = list(gate.map(M, "spin", [()], unpack=True, call_timeout=1, return_exceptions=True))
    assert [result.reason for result in results] == ["RAN_TOO_LONG"]


def test_a_lost_connection_fails_what_was_on_its_way_and_does_not_hang(serve):
    server = serve(expose=EXPOSED, shared=False)
    with callgate.connect(server.address) as gate:
        results = gate.map(M, "hold_or", [1, "hold", 2], return_exceptions=True, chunk=3)
        assert next(results) == 1
        assert functions.started.wait(20)
        server.stop(0.0)
        left = list(results)
        assert len(left) == 2
        assert isinstance(left[0], callgate.GateError)


def test_batches_adapt_to_what_the_server_takes(serve):
    server = serve(expose=EXPOSED, limits={"batch": 10, "message": 1 << 20})
    with callgate.connect(server.address) as gate:
        assert list(gate.map(M, "square", range(300), chunk=64)) == [n * n for n in range(300)]
        assert sorted(gate.map(M, "square", range(100), chunk=64, ordered=False)) == [n * n for n in range(100)]
        assert functions.ran == {n: 2 if n < 100 else 1 for n in range(300)}
        halves = ["x" * (400 << 10)] * 5
        assert list(gate.map(M, "hold_or", halves)) == halves


def test_an_item_too_large_for_a_message_says_so_and_fails_alone(server):
    with callgate.connect(server.address, max_message=100_000) as gate:
        big = "x" * 200_000
        results = list(gate.map(M, "hold_or", ["a", big, "b"], return_exceptions=True))
        assert (results[0], results[2]) == ("a", "b")
        assert isinstance(results[1], callgate.Exhausted)
        assert results[1].reason == "REQUEST_TOO_LARGE"
        assert "max_message" in str(results[1])


def test_wrong_arguments_are_told_at_once(gate):
    with pytest.raises(TypeError, match="iterable"):
        gate.map(M, "square", 3)
    with pytest.raises(ValueError, match="chunk is 0"):
        gate.map(M, "square", [], chunk=0)
    with pytest.raises(TypeError, match="chunk"):
        gate.map(M, "square", [], chunk=True)
    with pytest.raises(TypeError, match="timeout"):
        gate.map(M, "square", [], timeout="1")
    with pytest.raises(TypeError, match="strings"):
        gate.map(M, 3, [])


def test_a_closed_gate_maps_nothing(server):
    gate = callgate.connect(server.address)
    results = gate.map(M, "square", range(10))
    gate.close()
    with pytest.raises(RuntimeError, match="this Gate is closed"):
        next(results)
    with pytest.raises(RuntimeError, match="this Gate is closed"):
        gate.map(M, "square", range(10))


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the state was never reached"
        time.sleep(0)
