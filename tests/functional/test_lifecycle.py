"""A server from start to stop, seen from a client: health, drain, stuck calls, giving up, where functions run."""

from __future__ import annotations

import threading
import time

import lifecycle_functions as functions
import pytest

import callgate
from tests.functional.conftest import SERVED

EXPOSED = [{"functions": ("lifecycle_functions.*",)}]


@pytest.fixture(autouse=True)
def _fresh_events():
    functions.reset()
    yield
    functions.release.set()


def background(work):
    """Run on a thread; returns a function that waits for the result."""
    box: list[object] = []

    def run():
        try:
            box.append(work())
        except BaseException as error:
            box.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result():
        thread.join(20)
        assert box, "it did not end"
        if isinstance(box[0], BaseException):
            raise box[0]
        return box[0]

    return result


def test_a_stopping_server_lets_calls_end_refuses_new_ones_and_says_so(serve):
    server = serve(shared=False, expose=EXPOSED)
    with callgate.connect(server.address) as gate:
        assert gate.health() == "SERVING"
        held = background(lambda: gate.call("lifecycle_functions", "hold"))
        assert functions.started.wait(20)
        stopped = background(lambda: server.stop(20))
        while gate.health() == "SERVING":
            pass
        assert gate.health() == "NOT_SERVING"
        assert gate.health("callgate.v1.FunctionService") == "NOT_SERVING"
        with pytest.raises(callgate.Unavailable) as caught:
            gate.call("lifecycle_functions", "quick")
        assert caught.value.reason == "DRAINING"
        functions.release.set()
        assert held() == "held"
        assert stopped() is True


@pytest.mark.slow
def test_a_call_that_does_not_end_within_the_drain_is_interrupted(serve):
    server = serve(shared=False, expose=EXPOSED)
    with callgate.connect(server.address) as gate:
        spinning = background(lambda: gate.call("lifecycle_functions", "spin"))
        assert functions.started.wait(20)
        assert server.stop(0.05) is False
        with pytest.raises(callgate.GateError) as caught:
            spinning()
        assert caught.value.code in ("CANCELLED", "UNAVAILABLE")


@pytest.mark.slow
def test_the_servers_own_timeout_answers_while_the_code_is_still_stuck(serve):
    server = serve(shared=False, expose=[{"functions": ("lifecycle_functions.*",), "timeout": 1}])
    with callgate.connect(server.address) as gate:
        with pytest.raises(callgate.DeadlineExceeded) as caught:
            gate.call("lifecycle_functions", "hold")
        assert caught.value.reason == "RAN_TOO_LONG"
        # hold waits in a lock's acquire, in C: it runs on, and holds the guard.
        assert server.dispatcher.executors["default"].stats().running == 1
        with pytest.raises(callgate.DeadlineExceeded) as caught:
            gate.call("lifecycle_functions", "quick")
        assert caught.value.reason == "EXPIRED_IN_QUEUE"
        functions.release.set()
        assert eventually(lambda: _works(gate))


def _works(gate):
    try:
        return gate.call("lifecycle_functions", "quick") == 1
    except callgate.DeadlineExceeded:
        return False


def eventually(condition, seconds=20):
    """Whether a state that nothing announces is reached; asks the server, or yields, in between."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0)
    return True


@pytest.mark.slow
def test_a_stuck_call_takes_readiness_down_until_it_ends(serve):
    server = serve(
        shared=False,
        expose=EXPOSED,
        executors={"default": {"wedge_after": 0.01}},
        grace={"interrupt": 0.01, "kill": 0.01},
    )
    with callgate.connect(server.address) as gate:
        with pytest.raises(callgate.DeadlineExceeded):
            gate.call("lifecycle_functions", "hold", timeout=1)
        assert eventually(lambda: gate.health() == "NOT_SERVING")
        assert "lifecycle_functions.hold is stuck in 'default'" in server.readiness.reasons
        functions.release.set()
        assert eventually(lambda: gate.health() == "SERVING")
        assert gate.call("lifecycle_functions", "quick") == 1


@pytest.mark.slow
def test_a_stuck_call_can_make_the_server_give_up(serve):
    server = serve(
        shared=False,
        expose=EXPOSED,
        executors={"default": {"wedge_after": 0.01, "on_wedge": "exit"}},
        grace={"interrupt": 0.01, "kill": 0.01},
    )
    with callgate.connect(server.address) as gate:
        with pytest.raises(callgate.DeadlineExceeded):
            gate.call("lifecycle_functions", "hold", timeout=1)
        server.run()  # returns because the server gave up
        assert "lifecycle_functions.hold is stuck" in server.gave_up
        assert gate.health() == "NOT_SERVING"


def test_an_async_function_goes_to_the_event_loop_by_itself(serve):
    server = serve(shared=False, expose=EXPOSED)
    with callgate.connect(server.address) as gate:
        assert len(gate.call("lifecycle_functions", "aquick")) == 16
        info = gate.function("lifecycle_functions", "aquick")
        assert (info.kind, info.executor_kind, info.note) == ("coroutine", "coroutines", "")
        assert gate.function("lifecycle_functions", "quick").executor_kind == "serial"


def test_a_rules_executor_that_cannot_run_a_function_is_told(serve):
    rule = {"functions": ("lifecycle_functions.*",), "executor": "threads"}
    server = serve(shared=False, expose=[rule])
    with callgate.connect(server.address) as gate:
        assert gate.function("lifecycle_functions", "quick").executor_kind == "threads"
        info = gate.function("lifecycle_functions", "aquick")
        assert info.executor_kind == "coroutines"
        assert "an async function" in info.note
        assert len(gate.call("lifecycle_functions", "aquick")) == 16


def test_calls_beyond_the_admission_limit_are_refused_at_once_and_health_still_answers(serve):
    server = serve(shared=False, expose=EXPOSED, limits={"calls": 2})
    with callgate.connect(server.address) as gate:
        holding = [background(lambda: gate.call("lifecycle_functions", "hold")) for _ in range(2)]
        assert functions.started.wait(20)
        assert eventually(lambda: server.dispatcher.admitted == 2)
        with pytest.raises(callgate.Exhausted) as caught:
            gate.call("lifecycle_functions", "quick")
        assert caught.value.reason == "OVERLOADED"
        assert caught.value.retry_after > 0
        assert gate.health() == "SERVING"
        functions.release.set()
        assert [wait() for wait in holding] == ["held", "held"]


def test_served_functions_folder_is_what_the_tests_import():
    assert functions.__file__.startswith(str(SERVED))
