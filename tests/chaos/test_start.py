"""Starting: what cannot be served is said at once, with what would be right, and leaves nothing behind."""

from __future__ import annotations

import time

import pytest

from callgate_server.loading import ModuleFailed
from callgate_server.settings import SettingsError
from tests.chaos.conftest import FUNCTIONS, children


@pytest.fixture
def only_in_workers(tmp_path, monkeypatch):
    """Writes a module that knows whether it is imported in a worker."""
    counter = iter(range(100))

    def write(code):
        name = f"worker_only_{next(counter)}_{time.monotonic_ns()}"
        (tmp_path / f"{name}.py").write_text(
            f"import sys\ndef one():\n    return 1\nif {__name__!r} not in sys.modules:\n    {code}\n"
        )
        return name

    write.path = (str(tmp_path), str(FUNCTIONS))
    return write


def test_a_module_that_a_worker_cannot_import_is_an_error_with_its_traceback(make_front, only_in_workers):
    name = only_in_workers("1 / 0")
    with pytest.raises(ModuleFailed) as caught:
        make_front(name, import_path=only_in_workers.path)
    assert caught.value.module == name
    assert "ZeroDivisionError" in caught.value.trace
    assert "importlib" not in caught.value.trace
    assert not children()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os._exit(4)", "exited with code 4 while it started"),
        ("import ctypes; ctypes.string_at(0)", "was killed by SIGSEGV while it started"),
        ("import sys; sys.exit('no')", "SystemExit"),
    ],
)
def test_a_worker_that_dies_of_its_imports_is_an_error_that_says_how(make_front, only_in_workers, code, said):
    with pytest.raises((SettingsError, ModuleFailed)) as caught:
        make_front(only_in_workers(code), import_path=only_in_workers.path)
    assert said in str(caught.value) + getattr(caught.value, "trace", "")
    assert not children()


def test_a_worker_that_is_never_ready_is_an_error_after_the_start_timeout(make_front, only_in_workers):
    name = only_in_workers("import threading; threading.Event().wait()")
    with pytest.raises(SettingsError, match=r"was not ready after 0.5 s \(start_timeout\)"):
        make_front(name, import_path=only_in_workers.path, start_timeout=0.5)
    assert not children()


def test_a_function_that_workers_do_not_find_is_named(make_front, only_in_workers):
    name = only_in_workers("del one")
    with pytest.raises(ModuleFailed) as caught:
        make_front(name, import_path=only_in_workers.path)
    assert f"{name} has no function one in a worker" in caught.value.trace


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        ("#!/bin/sh\necho hello\n", "is not a Python interpreter"),
        ("#!/no/such/interpreter\n", "cannot be run: No such file"),
        (
            '#!/bin/sh\necho \'["callgate-probe", [3, 8, 1], "3.8.1 (default)"]\'\n',
            "is Python 3.8.1; workers need 3.11",
        ),
        ("not executable", "cannot be run: Permission denied"),
    ],
)
def test_what_is_no_usable_python_is_a_settings_error_that_says_so(make_front, tmp_path, content, said):
    python = tmp_path / "python"
    if content is not None:
        python.write_text(content)
        python.chmod(0o755 if content.startswith("#!") else 0o644)
    with pytest.raises(SettingsError) as caught:
        make_front(python=python)
    assert said in str(caught.value)
    assert f"executors.cpu.python = '{python}'" in str(caught.value)


def test_a_folder_is_no_python(make_front, tmp_path):
    with pytest.raises(SettingsError, match="is a folder"):
        make_front(python=tmp_path)


def test_workers_never_import_what_only_the_front_needs(front):
    loaded = {name.partition(".")[0] for name in front.call("modules")}
    assert loaded.isdisjoint({"grpc", "pydantic", "pydantic_settings", "structlog", "typer", "numpy"})
    assert "google" in loaded


def test_workers_ignore_the_signals_that_a_terminal_or_supervisor_sends_to_the_group(front):
    assert front.call("signals_survived") is True
    pid, session = front.call("session")
    assert session == pid


def test_what_a_function_forks_can_be_ended_as_anywhere(front):
    assert front.call("fork_and_terminate") == -15


def test_a_call_from_inside_calls_that_hold_every_worker_fails_at_once(make_front, signal):
    front, told, release = make_front(workers=1), signal("told"), signal("release")
    held = front.in_background("hold", told.path, release.path)
    told.wait()
    (outer,) = [run.call.context.id for run in front.executor._calls._runs]
    assert front.fails("add", 1, 2, chain=(outer,)).reason == "WOULD_DEADLOCK"
    release.set()
    held.result()
    assert front.call("add", 1, 2, chain=(outer,)) == 3


def test_a_functions_own_sockets_are_its_own(front):
    assert front.call("make_connection") == b"x"
