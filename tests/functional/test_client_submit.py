"""Gate.submit over a real socket: shared batches, and what becomes of each future."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, as_completed

import batched_functions as functions
import pytest

import callgate
from callgate._submitting import LANES
from tests.functional.test_client_streams import EXPOSED, M

#: Room for a slow call on each of a client's lanes.
EXECUTORS = {"threads": {"max_workers": 2 * LANES}}


@pytest.fixture(autouse=True)
def _anew():
    functions.reset()
    yield
    functions.hold_on.set()


@pytest.fixture
def server(serve):
    return serve(expose=EXPOSED, executors=EXECUTORS)


@pytest.fixture
def gate(server):
    with callgate.connect(server.address) as made:
        yield made


def occupy_lanes(gate):
    """Slow calls on every lane; their futures."""
    held = []
    for number in range(LANES):
        functions.started.clear()
        held.append(gate.submit(M, "hold", number))
        assert functions.started.wait(20)
    return held


def test_results_and_exceptions_arrive(gate):
    assert gate.submit(M, "square", 7).result(20) == 49
    assert gate.submit(M, "many", 1, b=2).result(20) == [[1], {"b": 2}]
    assert gate.submit_with(M, "many", [1], {"timeout": 2}).result(20) == [[1], {"timeout": 2}]
    with pytest.raises(KeyError) as caught:
        gate.submit(M, "fail_on", 1, 1).result(20)
    assert isinstance(caught.value, callgate.RemoteError)
    assert isinstance(gate.submit(M, "nothing").exception(20), callgate.FunctionNotFound)


def test_what_has_no_value_form_is_raised_at_once_and_others_are_not_affected(gate):
    with pytest.raises(callgate.ValueFormError, match=r"args\[0\]"):
        gate.submit(M, "square", object())
    assert gate.submit(M, "square", 2).result(20) == 4


@pytest.mark.slow
def test_64_threads_get_their_own_answers(gate):
    wrong = []

    def client(number):
        for turn in range(16):
            value = number * 1000 + turn
            match turn % 4:
                case 0:
                    right = gate.submit(M, "square", value).result(30) == value * value
                case 1:
                    right = isinstance(gate.submit(M, "fail_on", value, value).exception(30), KeyError)
                case 2:
                    right = gate.submit(M, "many", value, of=str(value)).result(30) == [[value], {"of": str(value)}]
                case _:
                    futures = {gate.submit("math", "sqrt", float(n * n)): float(n) for n in range(value, value + 5)}
                    right = all(future.result() == futures[future] for future in as_completed(futures, 30))
            if not right:
                wrong.append((number, turn))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert not wrong
    assert set(functions.ran.values()) == {1}
    assert len(functions.ran) == 64 * 4


def test_calls_share_batches(gate, monkeypatch):
    batches = []
    send = gate._submitter._open
    monkeypatch.setattr(gate._submitter, "_open", lambda data, *rest: batches.append(data) or send(data, *rest))
    held = occupy_lanes(gate)
    futures = [gate.submit(M, "square", number) for number in range(500)]
    functions.hold_on.set()
    assert [future.result(20) for future in futures] == [number * number for number in range(500)]
    assert [future.result(20) for future in held] == list(range(LANES))
    assert len(batches) == LANES + 1


def test_a_slow_call_holds_up_no_later_one(gate):
    slow = gate.submit(M, "hold", "slow")
    assert functions.started.wait(20)
    assert [gate.submit(M, "square", n).result(20) for n in range(20)] == [n * n for n in range(20)]
    assert not slow.done()
    second, third = gate.submit(M, "hold", 2), gate.submit(M, "hold", 3)
    assert gate.submit(M, "square", 9).result(20) == 81
    functions.hold_on.set()
    assert [slow.result(20), second.result(20), third.result(20)] == ["slow", 2, 3]


def test_answers_of_one_batch_come_as_they_are_ready(gate):
    held = occupy_lanes(gate)
    quick = [gate.submit(M, "square", 1), gate.submit(M, "hold", "again"), gate.submit(M, "square", 2)]
    held[0].add_done_callback(lambda _: functions.hold_on.clear())
    functions.hold_on.set()
    assert quick[0].result(20) == 1
    assert quick[2].result(20) == 4
    functions.hold_on.set()
    assert quick[1].result(20) == "again"


def test_a_cancelled_call_is_never_sent_and_one_on_its_way_cannot_be(gate):
    held = occupy_lanes(gate)
    waiting, other = gate.submit(M, "square", 1), gate.submit(M, "square", 2)
    assert waiting.cancel()
    assert not held[0].cancel()
    functions.hold_on.set()
    assert other.result(20) == 4
    with pytest.raises(CancelledError):
        waiting.result(20)
    assert functions.ran == {2: 1}


def test_a_call_whose_deadline_passes_while_it_waits_fails_then_and_never_starts(gate):
    held = occupy_lanes(gate)
    patient = gate.submit(M, "square", 5)
    error = gate.submit(M, "square", 4, timeout=0.1).exception(20)
    assert isinstance(error, callgate.DeadlineExceeded)
    assert error.reason == "EXPIRED_IN_QUEUE"
    assert not any(future.done() for future in held)
    functions.hold_on.set()
    assert patient.result(20) == 25
    assert functions.ran == {5: 1}


def test_a_call_whose_deadline_passes_while_it_runs_fails_alone(gate):
    slow = gate.submit(M, "spin", timeout=0.1)
    others = [gate.submit(M, "square", number, timeout=20) for number in range(5)]
    assert isinstance(slow.exception(20), callgate.DeadlineExceeded)
    assert [future.result(20) for future in others] == [0, 1, 4, 9, 16]
    assert isinstance(gate.submit(M, "square", 1, timeout=0).exception(20), callgate.DeadlineExceeded)


def test_different_deadlines_do_not_mix(gate):
    held = occupy_lanes(gate)
    futures = [gate.submit(M, "square", n, timeout=[None, 5, 30, 300][n % 4]) for n in range(100)]
    functions.hold_on.set()
    assert [future.result(20) for future in futures] == [n * n for n in range(100)]
    assert len(held) == LANES


def test_closing_the_gate_fails_what_waits_and_what_is_on_its_way(server):
    gate = callgate.connect(server.address)
    held = occupy_lanes(gate)
    waiting = [gate.submit(M, "square", number) for number in range(10)]
    gate.close()
    for future in waiting:
        assert isinstance(future.exception(20), callgate.Cancelled)
        assert "never started" in str(future.exception())
    for future in held:
        assert isinstance(future.exception(20), callgate.Cancelled)
        assert "may have run" in str(future.exception())
    with pytest.raises(RuntimeError, match="this Gate is closed"):
        gate.submit(M, "square", 1)
    functions.hold_on.set()
    assert not functions.ran


def test_a_lost_connection_fails_exactly_what_was_on_its_way(serve):
    server = serve(expose=EXPOSED, executors=EXECUTORS, shared=False)
    with callgate.connect(server.address) as gate:
        done = gate.submit(M, "square", 3)
        assert done.result(20) == 9
        held = gate.submit(M, "hold")
        assert functions.started.wait(20)
        server.stop(0.0)
        assert isinstance(held.exception(20), callgate.GateError)
        later = gate.submit(M, "square", 4).exception(20)
        assert isinstance(later, callgate.Unavailable)
        functions.hold_on.set()
    assert functions.ran == {3: 1}


def test_smaller_batches_where_the_server_takes_no_more(serve):
    server = serve(expose=EXPOSED, executors=EXECUTORS, limits={"batch": 5})
    with callgate.connect(server.address) as gate:
        occupy_lanes(gate)
        futures = [gate.submit(M, "square", number) for number in range(42)]
        functions.hold_on.set()
        assert [future.result(20) for future in futures] == [number * number for number in range(42)]
        assert set(functions.ran.values()) == {1}


def test_a_callback_that_submits_does_not_stand_still(gate):
    done = threading.Event()
    found = []

    def again(future):
        gate.submit(M, "square", future.result()).add_done_callback(
            lambda one: (found.append(one.result()), done.set())
        )

    gate.submit(M, "square", 3).add_done_callback(again)
    assert done.wait(20)
    assert found == [81]
