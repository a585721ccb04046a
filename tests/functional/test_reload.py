"""Reloading: new calls run the new code, calls on their way end on the old, and none fails."""

from __future__ import annotations

import os
import sys
import threading

import pytest

import callgate

MODULE = "reloaded_functions"
SOURCE = """
import threading
import reloaded_constants

started = threading.Event()
release = threading.Event()

def version():
    return reloaded_constants.VERSION

def hold():
    started.set()
    release.wait()
    return version()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two versions within a second look alike to the cache
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, 1)
    yield tmp_path
    for name in (MODULE, "reloaded_constants"):
        sys.modules.pop(name, None)


def write(folder, version, more=""):
    (folder / "reloaded_constants.py").write_text(f"VERSION = {version}\n")
    (folder / f"{MODULE}.py").write_text(SOURCE + more)


def settings(folder, executor="default"):
    return {
        "expose": [{"functions": (f"{MODULE}.*",), "executor": executor}, {"functions": ("math.sqrt",)}],
        "path": (folder,),
    }


@pytest.mark.parametrize("executor", ["default", "threads", "processes", "interpreters"])
def test_new_calls_run_the_new_code_also_of_what_it_imports(serve, folder, executor):
    if executor == "interpreters" and sys.version_info < (3, 13):
        pytest.skip("sub-interpreters with a GIL of their own need CPython 3.13")
    server = serve(shared=False, **settings(folder, executor))
    with callgate.connect(server.address) as gate:
        assert gate.call(MODULE, "version") == 1
        write(folder, 2, "def added():\n    return 'new'\n")
        assert gate.reload() == 4
        assert gate.call(MODULE, "version") == 2
        assert gate.call(MODULE, "added") == "new"
        assert gate.call("math", "sqrt", 4.0) == 2.0


@pytest.mark.parametrize("executor", ["default", "processes"])
def test_a_file_saved_twice_within_a_second_is_not_taken_for_unchanged(serve, folder, executor, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    constants = folder / "reloaded_constants.py"
    os.utime(constants, (1_700_000_000, 1_700_000_000))
    server = serve(shared=False, **settings(folder, executor))
    with callgate.connect(server.address) as gate:
        assert gate.call(MODULE, "version") == 1
        constants.write_text("VERSION = 2\n")  # as long as before, and dated the same
        os.utime(constants, (1_700_000_000, 1_700_000_000))
        gate.reload()
        assert gate.call(MODULE, "version") == 2


def test_a_call_on_its_way_ends_on_the_old_code(serve, folder):
    server = serve(shared=False, **settings(folder, "threads"))
    with callgate.connect(server.address) as gate:
        old = sys.modules[MODULE]
        results = []
        call = threading.Thread(target=lambda: results.append(gate.call(MODULE, "hold")))
        call.start()
        assert old.started.wait(20)
        write(folder, 2)
        server.reload()
        assert gate.call(MODULE, "version") == 2
        old.release.set()
        call.join(20)
        assert results == [1]


def test_code_that_cannot_be_imported_leaves_the_old_in_use_and_says_why(serve, folder):
    server = serve(shared=False, **settings(folder))
    with callgate.connect(server.address) as gate:
        write(folder, 2, "1 / 0\n")
        with pytest.raises(callgate.FailedPrecondition) as caught:
            gate.reload()
        assert caught.value.reason == "RELOAD_FAILED"
        assert "ZeroDivisionError" in str(caught.value)
        assert "the old code stays in use" in str(caught.value)
        assert gate.call(MODULE, "version") == 1
        assert sys.modules["reloaded_constants"].VERSION == 1


def test_a_function_that_is_gone_is_not_found_any_more(serve, folder):
    write(folder, 1, "def leaving():\n    return 1\n")
    server = serve(shared=False, **settings(folder))
    with callgate.connect(server.address) as gate:
        assert gate.call(MODULE, "leaving") == 1
        write(folder, 2)
        gate.reload()
        with pytest.raises(callgate.FunctionNotFound):
            gate.call(MODULE, "leaving")


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["default", "threads", "processes"])
def test_no_call_fails_while_the_code_is_reloaded_again_and_again(serve, folder, executor):
    server = serve(shared=False, **settings(folder, executor))
    done = threading.Event()
    failures: list[BaseException] = []
    counts: list[int] = []

    def caller(began):
        with callgate.connect(server.address) as gate:
            count, last = 0, 0
            while not done.is_set():
                try:
                    version = gate.call(MODULE, "version")
                    assert version >= last, "an old answer after a new one"
                    last = version
                    count += 1
                    began.set()
                except BaseException as error:
                    failures.append(error)
            counts.append(count)

    begun = [threading.Event() for _ in range(4)]
    callers = [threading.Thread(target=caller, args=(began,)) for began in begun]
    for thread in callers:
        thread.start()
    try:
        for began in begun:
            assert began.wait(20)
        for version in range(2, 8):
            write(folder, version)
            server.reload()
    finally:
        done.set()
    for thread in callers:
        thread.join(20)
    assert not failures
    assert min(counts) > 0


def test_who_may_not_administer_may_not_reload(serve, folder, tmp_path):
    from callgate_server.security.tokens import add_token

    tokens = tmp_path / "tokens.txt"
    alice, operator = add_token(tokens, "alice"), add_token(tokens, "operator")
    auth = {"tokens": tokens, "administrators": ("operator",)}
    server = serve(shared=False, auth=auth, **settings(folder))
    with callgate.connect(server.address, token=alice) as gate:
        assert gate.call(MODULE, "version") == 1
        with pytest.raises(callgate.PermissionDenied) as caught:
            gate.reload()
        assert caught.value.reason == "PERMISSION_DENIED"
    with callgate.connect(server.address, token=operator) as gate:
        assert gate.reload() == 3
