"""@callgate.batched: single calls that come together run as one, each with its own answer."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import vectorised_functions as functions

import callgate
from tests.contract.test_waiting import wait_until

MODULE = "vectorised_functions"


@pytest.fixture(params=["default", "threads", "processes", "interpreters"])
def gate(request, serve):
    if request.param == "interpreters" and sys.version_info < (3, 13):
        pytest.skip("sub-interpreters with a GIL of their own need CPython 3.13")
    functions.reset()
    server = serve(
        expose=[{"functions": (f"{MODULE}.*",), "executor": request.param}],
        executors={
            "processes": {"kind": "processes", "workers": 1},
            "interpreters": {"kind": "interpreters", "workers": 1},
        },
    )
    with callgate.connect(server.address) as made:
        yield made


@pytest.fixture
def server(serve):
    """One whose functions run in this process, where the test can look."""
    return serve(expose=[{"functions": (f"{MODULE}.*",)}])


@pytest.fixture
def local(server):
    """A client of it."""
    functions.reset()
    with callgate.connect(server.address) as made:
        yield made
    functions.hold.set()


def together(gate, function, arguments):
    """Call once for each argument, all at the same time; results or exceptions in order."""

    def one(argument):
        try:
            return gate.call(MODULE, function, argument)
        except callgate.CallgateError as error:
            return error

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(one, arguments))


def test_each_caller_gets_its_own_result(gate):
    assert together(gate, "double", list(range(32))) == [2 * n for n in range(32)]
    assert gate.call(MODULE, "double", 1.5) == 3.0


def test_one_callers_exception_is_its_own(gate):
    results = together(gate, "roots", [4.0, -1.0, 9.0])
    assert (results[0], results[2]) == (2.0, 3.0)
    assert isinstance(results[1], ValueError)
    assert str(results[1]) == "-1.0 is negative"


@pytest.mark.parametrize("function", ["one_short", "no_list"])
def test_a_wrong_number_of_results_fails_the_whole_batch_and_says_so(gate, function):
    for error in together(gate, function, [1, 2, 3]):
        assert isinstance(error, ValueError)
        assert "batch" in str(error)


def test_an_exception_of_the_function_is_every_callers(gate):
    for error in together(gate, "raises", [1, 2, 3]):
        assert isinstance(error, KeyError)


def test_one_argument_is_what_it_takes(gate):
    with pytest.raises(callgate.InvalidCall) as caught:
        gate.call(MODULE, "double", 1, 2)
    assert caught.value.reason == "ARGUMENTS_MISMATCH"


def test_concurrent_calls_run_as_few(local, server):
    functions.hold.clear()
    with ThreadPoolExecutor(41) as pool:
        first = pool.submit(local.call, MODULE, "double", 0)
        rest = [pool.submit(local.call, MODULE, "double", n) for n in range(1, 41)]
        wait_until(lambda: server.dispatcher.admitted == 41)
        functions.hold.set()
        assert first.result() == 0
        assert [call.result() for call in rest] == [2 * n for n in range(1, 41)]
    assert sum(functions.sizes) == 41
    assert len(functions.sizes) <= 4


def test_a_full_batch_does_not_wait_for_its_delay(local):
    assert together(local, "by_four", [1, 2, 3, 4]) == [1, 2, 3, 4]
    assert functions.sizes == [4]


def test_an_argument_that_does_not_fit_fails_alone(local):
    results = together(local, "double", [1.0, "not a number", 3.0])
    assert (results[0], results[2]) == (2.0, 6.0)
    assert isinstance(results[1], callgate.InvalidCall)


def test_callers_see_the_signature_for_one(local):
    info = local.function(MODULE, "double")
    assert info.signature == "(numbers: float, /) -> float"
    assert info.doc == "Twice each number."


def test_a_caller_that_gives_up_leaves_the_others_their_results(local):
    functions.hold.clear()
    with ThreadPoolExecutor(3) as pool:
        patient = [pool.submit(local.call, MODULE, "double", n) for n in (1, 2)]
        hasty = pool.submit(local.call, MODULE, "double", 3, timeout=0.3)
        with pytest.raises(callgate.DeadlineExceeded):
            hasty.result()
        functions.hold.set()
        assert [call.result() for call in patient] == [2, 4]


def test_when_all_callers_give_up_the_batch_is_stopped(local, server):
    with pytest.raises(callgate.DeadlineExceeded):
        local.call(MODULE, "by_four", 1, timeout=0.2)  # waits for three more, ten seconds long
    wait_until(lambda: server.dispatcher.admitted == 0)
    # The next batch is a new one: nobody is left in it, and the one before never ran.
    assert together(local, "by_four", [1, 2, 3, 4]) == [1, 2, 3, 4]
    assert functions.sizes == [4]


@pytest.mark.slow
def test_nothing_is_lost_or_swapped_under_load(local):
    failures = []

    def caller(number):
        for turn in range(50):
            value = number * 1000 + turn
            if local.call(MODULE, "double", value) != 2 * value:
                failures.append(value)

    threads = [threading.Thread(target=caller, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert sum(functions.sizes) == 24 * 50
    assert len(functions.sizes) < 24 * 50  # how many go together is the machine's affair


def test_it_can_be_called_in_its_own_process_too():
    assert functions.double(4) == 8
    with pytest.raises(ValueError, match="negative"):
        functions.roots(-1)


@pytest.mark.parametrize("wrong", [{"max_size": 0}, {"max_delay": "fast"}, {"max_delay": -1}])
def test_a_wrong_setting_is_told(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        callgate.batched(**wrong)


def test_what_cannot_be_batched_is_told():
    with pytest.raises(TypeError, match="must take one list"):
        callgate.batched()(lambda a, b: a)
