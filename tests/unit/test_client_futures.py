"""_futures.py: a SubmittedFuture is a Future, whoever waits for it how; with _wakeups.c and without it."""

from __future__ import annotations

import gc
import importlib
import random
import signal
import sys
import threading
import weakref
from concurrent.futures import CancelledError, Future, InvalidStateError, as_completed, wait
from functools import partial

import pytest

import callgate._futures
from callgate import _wakeups
from callgate._submitting import Submitted, _resolve

#: Long beside everything here; a test that waits for so long fails.
LONG = 30.0


@pytest.fixture(params=["compiled", "python"])
def futures(request, monkeypatch):
    """The module, as it is where _wakeups.c is compiled and where it is not."""
    if request.param == "python":
        monkeypatch.setitem(sys.modules, "callgate._wakeups", None)
    module = importlib.reload(callgate._futures)
    assert (module.wake is _wakeups.wake) == (request.param == "compiled")
    yield module
    monkeypatch.undo()
    importlib.reload(callgate._futures)


class Waiting:
    """A thread that waits for something, and how that ended."""

    def __init__(self, wanted):
        self.ended = Future()
        self._thread = threading.Thread(target=self._run, args=[wanted], daemon=True)
        self._thread.start()

    def _run(self, wanted):
        try:
            self.ended.set_result(wanted())
        except BaseException as error:
            self.ended.set_exception(error)


class _Noted(list):
    """Who waits for a future, and whether anybody has begun to."""

    def __init__(self):
        super().__init__()
        self.begun = threading.Semaphore(0)

    def append(self, wakeup):
        super().append(wakeup)
        self.begun.release()


def submitted(futures):
    """A future of which one can tell that threads wait for it."""
    future = futures.SubmittedFuture()
    future._waiting = _Noted()
    return future


def until_waited_for(future, threads=1):
    """Return when so many threads wait for it, or are about to."""
    for _ in range(threads):
        assert future._waiting.begun.acquire(timeout=LONG)


def test_it_has_the_fields_of_a_future_and_no_others_of_its_own_that_hide_them(futures):
    assert {name: type(value) for name, value in vars(Future()).items() if name != "_condition"}.items() <= {
        name: type(value) for name, value in vars(futures.SubmittedFuture()).items()
    }.items()
    assert "_condition" in vars(Future())


def test_what_was_resolved_before_is_there_at_once(futures):
    good, bad, held = futures.SubmittedFuture(), futures.SubmittedFuture(), []
    good.settle(1, None, held)
    bad.settle(None, KeyError("no"), held)
    assert held == []
    assert (good.result(), good.exception(), good.done()) == (1, None, True)
    with pytest.raises(KeyError):
        bad.result(0)
    assert isinstance(bad.exception(), KeyError)


@pytest.mark.parametrize("how", ["settle", "set", "cancel"])
def test_all_that_wait_are_woken(futures, how):
    future, failing = submitted(futures), submitted(futures)
    waiting = [Waiting(future.result), Waiting(partial(future.result, LONG)), Waiting(partial(future.exception, LONG))]
    failed = Waiting(failing.exception)
    until_waited_for(future, 3)
    until_waited_for(failing)
    if how == "settle":
        held = []
        future.settle(1, None, held)
        failing.settle(None, KeyError("no"), held)
        futures.release(held)
        assert held == []
    elif how == "set":
        future.set_result(1)
        failing.set_exception(KeyError("no"))
    else:
        assert future.cancel()
        assert future.cancel()
        assert failing.cancel()
    if how == "cancel":
        for one in (*waiting, failed):
            with pytest.raises(CancelledError):
                one.ended.result(LONG)
    else:
        assert [one.ended.result(LONG) for one in waiting] == [1, 1, None]
        assert isinstance(failed.ended.result(LONG), KeyError)


@pytest.mark.parametrize("timeout", [0, -1, 0.001, float("nan")])
def test_a_wait_that_takes_too_long_ends_and_leaves_nothing(futures, timeout):
    future = futures.SubmittedFuture()
    for method in (future.result, future.exception):
        with pytest.raises(TimeoutError):
            method(timeout)
    assert future._waiting == []
    future.set_result(1)
    assert future.result(timeout) == 1


@pytest.mark.parametrize("timeout", [1e300, float("inf"), threading.TIMEOUT_MAX])
def test_a_timeout_beyond_what_locks_take_waits(futures, timeout):
    future = submitted(futures)
    waiting = Waiting(partial(future.result, timeout))
    until_waited_for(future)
    future.set_result(1)
    assert waiting.ended.result(LONG) == 1


def test_wait_and_as_completed_wait(futures):
    made = [futures.SubmittedFuture() for _ in range(3)]
    all_of_them = Waiting(lambda: wait(made, LONG).not_done)
    one_by_one = Waiting(lambda: {future.result() for future in as_completed(made, LONG)})
    held = []
    for number, future in enumerate(made):
        assert future.set_running_or_notify_cancel()
        future.settle(number, None, held)
    futures.release(held)
    assert all_of_them.ended.result(LONG) == set()
    assert one_by_one.ended.result(LONG) == {0, 1, 2}


def test_a_callback_may_wait_for_a_thread_that_waits_for_an_earlier_call_of_its_batch(futures):
    first, second, held = submitted(futures), futures.SubmittedFuture(), []
    waiting = Waiting(first.result)
    until_waited_for(first)
    seen = []
    second.add_done_callback(lambda future: seen.append((future, waiting.ended.result(LONG))))
    first.settle(1, None, held)
    second.settle(2, None, held)
    assert seen == [(second, 1)]
    assert held == []
    second.add_done_callback(seen.append)
    assert seen[1:] == [second]


def test_one_that_its_caller_has_resolved_keeps_no_other_waiting(futures):
    """What is not to be done with it; the threads of its batch are woken all the same."""
    first, second = submitted(futures), futures.SubmittedFuture()
    waiting = Waiting(first.result)
    until_waited_for(first)
    second.set_result("by its caller")
    running = [Submitted(b"", None, future) for future in (first, second)]
    with pytest.raises(InvalidStateError):
        _resolve(running, [1, 2], [0, 1])
    assert waiting.ended.result(LONG) == 1


def test_an_exception_that_was_raised_keeps_nothing_alive(futures):
    future = futures.SubmittedFuture()
    future.set_exception(KeyError("no"))
    with pytest.raises(KeyError):
        future.result()
    gone = weakref.ref(future)
    gc.disable()
    try:
        del future
        assert gone() is None
    finally:
        gc.enable()


def test_a_signals_handler_ends_a_wait(futures):
    class Interrupt(BaseException):
        pass

    handled = threading.Event()

    def handler(*_):
        if not handled.is_set():
            handled.set()
            raise Interrupt

    future = submitted(futures)
    before = signal.signal(signal.SIGUSR1, handler)
    main = threading.main_thread().ident

    def interrupt():
        until_waited_for(future)
        # As with any lock, one that comes just before the wait is handled after it: another one is sent.
        while not handled.wait(0.01):
            signal.pthread_kill(main, signal.SIGUSR1)

    try:
        interrupting = Waiting(interrupt)
        with pytest.raises(Interrupt):
            future.result()
        assert interrupting.ended.result(LONG) is None
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert future._waiting == []


def test_nobody_is_forgotten_whoever_comes_first(futures):
    """Threads that wait for, time out on and cancel what another one resolves: each sees its own end."""
    rounds, callers = 200, 8
    batches = [[futures.SubmittedFuture() for _ in range(callers)] for _ in range(rounds)]

    def call(which):
        chosen = random.Random(which)
        found = []
        for batch in batches:
            future = batch[which]
            if chosen.random() < 0.2 and future.cancel():
                found.append("cancelled")
                continue
            while True:
                try:
                    found.append(future.result(chosen.choice([None, LONG, 0.0001])))
                    break
                except TimeoutError:
                    continue
        return found

    callers_ended = [Waiting(partial(call, which)) for which in range(callers)]
    sent = [[] for _ in range(callers)]
    for number, batch in enumerate(batches):
        held = []
        for which, future in enumerate(batch):
            if future.set_running_or_notify_cancel():
                future.settle((number, which), None, held)
                sent[which].append((number, which))
            else:
                sent[which].append("cancelled")
        futures.release(held)
    assert [one.ended.result(LONG) for one in callers_ended] == sent


@pytest.mark.parametrize("wrong", [None, (), [1], [_wakeups.Wakeup(), None]])
def test_what_cannot_be_woken_is_refused_and_nobody_is(wrong):
    with pytest.raises(TypeError, match="wake takes a list of Wakeups"):
        _wakeups.wake(wrong)
    assert not isinstance(wrong, list) or not any(isinstance(one, _wakeups.Wakeup) and one.wait(0) for one in wrong)


def test_a_wakeup_is_remembered_and_takes_no_arguments():
    wakeup = _wakeups.Wakeup()
    assert wakeup.wait(0) is False
    _wakeups.wake([wakeup, wakeup])
    assert wakeup.wait(None) is True
    with pytest.raises(TypeError):
        _wakeups.Wakeup(1)
    with pytest.raises(TypeError):
        wakeup.wait("long")


def test_wakeups_leave_no_memory_behind():
    def use():
        made = [_wakeups.Wakeup() for _ in range(100)]
        _wakeups.wake(made)
        return [one.wait(0) for one in made]

    use()
    before = sys.getallocatedblocks()
    for _ in range(50):
        use()
    assert sys.getallocatedblocks() - before < 50
