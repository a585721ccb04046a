"""The two-layer guard of `serial`: GIL state in pairs on every path, no re-entry, no call beside another."""

from __future__ import annotations

import ctypes
import sys
import threading

import pytest

from callgate.failures import CallFailed
from callgate_server.gil import GilState, gil_enabled
from tests.contract.conftest import EXECUTORS, make_harness

PATHS = {
    "a result": ("add", (1, 2)),
    "an exception": ("fail", ("x",)),
    "SystemExit": ("raise_base", ("SystemExit",)),
    "KeyboardInterrupt": ("raise_base", ("KeyboardInterrupt",)),
    "a failing encode": ("unencodable", ()),
    "arguments that do not fit": ("add", ()),
}


@pytest.fixture(params=[kind for kind in EXECUTORS if kind.startswith("serial")])
def serial(request):
    yield from make_harness(request.param, EXECUTORS[request.param])


class CountedGil:
    """A GilState that counts, around the real calls."""

    def __init__(self, gil):
        self._gil = gil
        self.depth = 0
        self.pairs = 0
        self.deepest = 0

    def __enter__(self):
        self._gil.__enter__()
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)

    def __exit__(self, *error):
        self._gil.__exit__(*error)
        self.depth -= 1
        self.pairs += 1

    def describe(self):
        return self._gil.describe()


@pytest.mark.parametrize("path", PATHS)
def test_ensure_and_release_are_paired_whatever_the_call_does(serial, path):
    counted = serial.executor._gil = CountedGil(serial.executor._gil)
    function, args = PATHS[path]
    for _ in range(3):
        try:
            serial.call(function, *args)
        except CallFailed:
            assert path != "a result"
    assert (counted.depth, counted.pairs, counted.deepest) == (0, 3, 1)


def gilstate_counter() -> ctypes.c_int:
    """The calling thread state's own counter of Ensure without Release.

    No API shows it; but it is the one int in the struct that an Ensure raises by one, so it is found by doing that.
    """
    get = ctypes.pythonapi.PyThreadState_Get
    get.restype = ctypes.c_void_p
    ensure, release = ctypes.pythonapi.PyGILState_Ensure, ctypes.pythonapi.PyGILState_Release
    state = (ctypes.c_int * 96).from_address(get())
    snapshots = []
    for _ in range(4):
        snapshots.append(list(state))
        ensure()
    for _ in range(4):
        release(0)  # PyGILState_LOCKED: what Ensure returns to a thread that has the GIL already
    rising = [i for i in range(96) if [s[i] - snapshots[0][i] for s in snapshots] == [0, 1, 2, 3]]
    assert len(rising) == 1, rising
    return ctypes.c_int.from_address(ctypes.addressof(state) + 4 * rising[0])


@pytest.mark.skipif(sys.implementation.name != "cpython" or not gil_enabled(), reason="reads CPython's GIL state")
def test_the_threads_own_counter_is_what_it_was():
    harness = make_harness("serial", EXECUTORS["serial"])
    serial = next(harness)
    results = []

    def calls():
        counter = gilstate_counter()
        before = counter.value
        for function, args in PATHS.values():
            try:
                serial.call(function, *args)
            except CallFailed:
                pass
            results.append(counter.value - before)
        # The instrument itself can fail: an unpaired Ensure shows.
        gil = GilState()
        gil.__enter__()
        results.append(counter.value - before)
        gil.__exit__(None, None, None)
        results.append(counter.value - before)

    thread = threading.Thread(target=calls)
    thread.start()
    thread.join()
    assert results == [0] * len(PATHS) + [1, 0]
    harness.close()


def test_a_call_from_the_thread_that_holds_the_guard_fails_at_once():
    harness = make_harness("serial", EXECUTORS["serial"])
    serial = next(harness)
    inner = []

    class Reentrant:
        def __enter__(self):
            inner.append(serial.fails("add", 1, 2).reason)

        def __exit__(self, *error):
            pass

    serial.executor._gil = Reentrant()
    assert serial.call("add", 1, 2) == 3
    assert inner == ["WOULD_DEADLOCK"]
    harness.close()


def test_a_call_whose_chain_holds_the_guard_fails_at_once(serial, signal):
    started, release = signal("started"), signal("release")
    outer = serial.in_background("hold", started.path, release.path, call_id="outer")
    started.wait()
    failure = serial.fails("add", 1, 2, chain=("first", "outer"))
    assert failure.reason == "WOULD_DEADLOCK"
    assert "outer" in failure.status.message
    release.set()
    outer.result()
    assert serial.call("add", 1, 2, chain=("first", "outer")) == 3  # it has ended: nothing to wait for


def test_a_dedicated_thread_runs_every_call():
    harness = make_harness("serial-dedicated", EXECUTORS["serial-dedicated"])
    serial = next(harness)
    assert len({serial.call("thread") for _ in range(5)}) == 1
    assert serial.call("thread") != threading.get_ident()
    harness.close()


def test_the_guard_says_when_there_is_no_gil(monkeypatch):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    gil = GilState()
    assert not gil.active
    assert "mutex alone" in gil.describe()
    with gil:
        pass
