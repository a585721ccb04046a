"""New code without a failed call."""

from __future__ import annotations

import importlib
import sys
import threading

import pytest

from callgate_server.loading import ModuleFailed
from tests.chaos.conftest import FUNCTIONS, lives
from tests.contract.conftest import Background
from tests.contract.test_waiting import wait_until

CODE = """
import os
from chaos_functions import hold as held

def version():
    return {version}

def hold(told, release):
    held(told, release)
    return {version}

def pid():
    return os.getpid()
"""


@pytest.fixture
def changing(make_front, tmp_path, monkeypatch):
    """A front whose module's version can be changed."""
    file = tmp_path / "changing.py"

    class Changing:
        def write(self, code):
            file.write_text(code)
            # Two versions within a second have the same time stamp: the cached bytecode must not outlive the text.
            for cached in tmp_path.glob("__pycache__/changing*"):
                cached.unlink()

        def reload(self):
            self.front.executor.reload(list(self.front.registry))

    changing = Changing()
    changing.write(CODE.format(version=1))
    importlib.invalidate_caches()
    sys.modules.pop("changing", None)
    changing.front = make_front("changing", import_path=(str(tmp_path), str(FUNCTIONS)))
    return changing


@pytest.mark.slow
def test_calls_in_flight_end_on_the_old_code_and_new_calls_run_the_new(changing, signal):
    told, release = signal("told"), signal("release")
    held = changing.front.in_background("hold", told.path, release.path)
    told.wait()
    old = changing.front.call("pid")
    changing.write(CODE.format(version=2))
    changing.reload()
    assert [changing.front.call("version") for _ in range(10)] == [2] * 10
    wait_until(lambda: not lives(old))  # the idle one leaves at once
    release.set()
    assert held.result() == 1
    assert [changing.front.call("version") for _ in range(10)] == [2] * 10
    assert changing.front.executor.stats().restarts == 0


@pytest.mark.slow
def test_under_load_no_call_fails_and_versions_never_go_back(changing):
    stop = threading.Event()

    def load(began):
        seen = []
        while not stop.is_set():
            seen.append(changing.front.call("version"))
            began.set()
        return seen

    begun = [threading.Event() for _ in range(3)]
    loads = [Background(lambda began=began: load(began)) for began in begun]
    try:
        for began in begun:
            assert began.wait(20)
        for version in (2, 3, 4):
            changing.write(CODE.format(version=version))
            changing.reload()
    finally:
        stop.set()
    for one in loads:
        seen = one.result()
        assert seen == sorted(seen)
        assert seen[0] == 1
    assert changing.front.call("version") == 4
    assert changing.front.executor.stats().restarts == 0


@pytest.mark.slow
def test_code_that_cannot_be_imported_changes_nothing_and_is_reported(changing):
    pids = {worker.pid for worker in changing.front.executor._crew._serving}
    changing.write("def version(:\n")
    with pytest.raises(ModuleFailed) as caught:
        changing.reload()
    assert "SyntaxError" in caught.value.trace
    assert changing.front.call("version") == 1
    assert changing.front.call("pid") in pids
    changing.write(CODE.format(version=2))
    changing.reload()
    assert changing.front.call("version") == 2
