"""The executor `interpreters`: what is its own, beside the contract suite (tests/contract)."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest

from callgate.context import CallContext
from callgate.failures import CallFailed
from callgate.v1.function_service_pb2 import CallFunctionRequest, CallFunctionResponse
from callgate.values import decode, encode
from callgate_server.call import Call, NobodyWaits, new_call_id
from callgate_server.executors import interpreter_adapter
from callgate_server.executors.base import ExecutorStats, Surroundings
from callgate_server.executors.interpreter_adapter import require_interpreters
from callgate_server.executors.interpreters import InterpretersExecutor
from callgate_server.invocation import Invoker
from callgate_server.ladder import Graces, Ladder
from callgate_server.registry import Exposed
from callgate_server.settings import SettingsError

needs_interpreters = pytest.mark.skipif(sys.version_info < (3, 13), reason="sub-interpreters need CPython 3.13")


class Elsewhere:
    """A fallback that keeps what it is asked."""

    kind = "processes"
    name = "elsewhere"

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.calls: list[str] = []
        self.closed = False

    def start(self, functions: Any) -> None:
        self.functions = [exposed.full_name for exposed in functions]

    reload = start

    def call(self, exposed: Exposed, call: Call) -> bytes:
        self.calls.append(exposed.full_name)
        return b"from elsewhere"

    def stats(self) -> ExecutorStats:
        return ExecutorStats(completed=len(self.calls), restarts=3)

    def close(self, grace: float) -> None:
        self.closed = True


class Bench:
    """An executor with a folder of modules of its own."""

    def __init__(self, folder: Any, **settings: Any) -> None:
        self.folder = folder
        self.ladder = Ladder(Graces(interrupt=0.02, kill=0.3))
        self.elsewhere = Elsewhere()
        self.executor = InterpretersExecutor(
            "own", Surroundings(Invoker(), self.ladder), fallback=lambda: self.elsewhere, **{"workers": 2} | settings
        )

    def write(self, module: str, source: str) -> None:
        (self.folder / f"{module}.py").write_text(source)

    def exposed(self, *names: str) -> list[Exposed]:
        return [Exposed(*name.rsplit(".", 1), function=lambda *args: None) for name in names]

    def start(self, *names: str) -> list[Exposed]:
        functions = self.exposed(*names)
        self.executor.start(functions)
        return functions

    def call(self, exposed: Exposed, *args: Any, chain: tuple[str, ...] = ()) -> Any:
        request = CallFunctionRequest(module=exposed.module, function=exposed.name)
        for arg in args:
            encode(arg, request.args.add())
        call = Call(request, b"", CallContext(new_call_id(), chain=chain), NobodyWaits())
        return decode(CallFunctionResponse.FromString(self.executor.call(exposed, call)).value)

    def close(self) -> None:
        self.executor.close(0.0)
        self.ladder.close()


@pytest.fixture
def bench(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        sys, "dont_write_bytecode", True
    )  # a source rewritten within a second would be taken for the old
    made: list[Bench] = []

    def make(**settings: Any) -> Bench:
        made.append(Bench(tmp_path, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("implementation", "version", "words"),
    [
        ("cpython", (3, 12, 9), "CPython 3.12 has no"),
        ("cpython", (3, 11, 0), "CPython 3.11 has no"),
        ("pypy", (3, 13, 0), "pypy 3.13"),
    ],
)
def test_on_a_python_without_them_choosing_them_is_one_clear_error(monkeypatch, implementation, version, words):
    fake = types.SimpleNamespace(
        implementation=types.SimpleNamespace(name=implementation),
        version_info=type("Info", (tuple,), {"major": version[0], "minor": version[1]})(version),
    )
    monkeypatch.setattr(interpreter_adapter, "sys", fake)
    with pytest.raises(SettingsError) as caught:
        require_interpreters("cpu")
    message = str(caught.value)
    assert words in message
    assert "executors.cpu.kind" in message
    assert 'kind = "processes"' in message
    assert "\n" not in message


@needs_interpreters
def test_what_cannot_be_loaded_inside_runs_elsewhere_and_says_so(bench):
    made = bench()
    # Refuses as numpy does, whose C extensions have no support for sub-interpreters.
    made.write("picky", "import _testmultiphase_missing\ndef total(): ...")
    made.write("easy", "def double(x): return 2 * x")
    total, double = made.start("picky.total", "easy.double")
    assert made.elsewhere.functions == ["picky.total"]
    assert len(total.notes) == 1
    assert "runs in processes" in total.notes[0]
    assert "ModuleNotFoundError" in total.notes[0]
    assert double.notes == []
    assert made.call(double, 4) == 8
    with pytest.raises(Exception):  # noqa: B017 -- the fake's answer is no response
        made.call(total)
    assert made.elsewhere.calls == ["picky.total"]
    stats = made.executor.stats()
    assert (stats.completed, stats.restarts) == (2, 3)
    assert "1 function" in made.executor.describe()
    made.executor.close(0.0)
    assert made.elsewhere.closed


@needs_interpreters
def test_numpy_is_such_a_module(bench):
    pytest.importorskip("numpy")
    made = bench(workers=1)
    made.write("arrays", "import numpy\ndef total(x): return float(numpy.sum(x))")
    (total,) = made.start("arrays.total")
    assert made.elsewhere.functions == ["arrays.total"]
    assert "does not support loading in subinterpreters" in total.notes[0]
    assert "\n" not in total.notes[0]


@needs_interpreters
def test_without_a_fallback_it_is_an_error_at_the_start(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "picky2.py").write_text("raise SystemExit('no')")
    executor = InterpretersExecutor("own", Surroundings(Invoker(), Ladder()), workers=1)
    with pytest.raises(SettingsError, match=r"picky2\.total cannot run in a sub-interpreter \(SystemExit: no\)"):
        executor.start([Exposed("picky2", "total")])


@needs_interpreters
def test_modules_are_loaded_once_in_each_interpreter_and_apart_from_the_others(bench):
    made = bench()
    made.write("counted", "calls = []\ndef count(): calls.append(1); return len(calls)")
    (count,) = made.start("counted.count")
    assert [made.call(count) for _ in range(5)] == [
        1,
        2,
        3,
        4,
        5,
    ]  # one after the other: the warm interpreter is reused
    assert "counted" not in sys.modules


@needs_interpreters
def test_an_array_arrives_as_a_tensor(bench):
    numpy = pytest.importorskip("numpy")
    made = bench(workers=1)
    made.write("shapes_of", "def look(t): return [type(t).__name__, t.dtype, list(t.shape), t.tolist()]")
    (look,) = made.start("shapes_of.look")
    assert made.call(look, numpy.arange(4.0).reshape(2, 2)) == ["Tensor", "float64", [2, 2], [[0.0, 1.0], [2.0, 3.0]]]


@needs_interpreters
def test_a_stream_between_two_items_is_not_wedged_however_slow_its_reader(bench):
    made = bench(workers=1)
    made.write("streaming", "def items():\n    yield 1\n    yield 2")
    (items,) = made.start("streaming.items")
    call = Call(CallFunctionRequest(), b"", CallContext("slow"), NobodyWaits())
    stream = made.executor.stream(items, call)
    next(stream)
    (run,) = made.executor._runs
    assert not run.interrupt()
    run.wedged(1.0)
    assert made.executor.stats().wedged == 0
    assert made.executor.stats().running == 1
    stream.close()
    assert made.executor.stats().running == 0


@needs_interpreters
def test_reload_runs_the_new_code_and_calls_on_their_way_end_on_the_old(bench, tmp_path):
    import os

    made = bench()
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    made.write("versioned", "def version(): return 'old'\ndef hold(path):\n    open(path).read()\n    return version()")
    version, hold = made.start("versioned.version", "versioned.hold")
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(made.call(hold, str(gate))))
    thread.start()
    with open(gate, "w"):  # opens when the function does
        made.write("versioned", "def version(): return 'new'\ndef hold(path): return 'new'")
        made.executor.reload(made.exposed("versioned.version", "versioned.hold"))
        assert [made.call(version) for _ in range(3)] == ["new"] * 3
    thread.join(20)
    assert results == ["old"]
    assert made.call(hold, "") == "new"
    assert made.executor.stats().completed == 5


@needs_interpreters
def test_a_reload_that_fails_leaves_the_old_code_in_use(bench, monkeypatch):
    made = bench(workers=1)
    made.write("breaking", "def version(): return 'old'")
    (version,) = made.start("breaking.version")

    def refuse(functions: Any) -> None:
        raise RuntimeError("cannot be loaded elsewhere either")

    monkeypatch.setattr(made.elsewhere, "start", refuse)
    made.write("breaking", "def version(: syntax error")
    with pytest.raises(RuntimeError, match="elsewhere either"):
        made.executor.reload(made.exposed("breaking.version"))
    assert made.call(version) == "old"
    assert version.notes == []


@needs_interpreters
def test_a_call_that_comes_back_to_a_full_executor_would_deadlock(bench):
    made = bench(workers=1)
    made.write("chained", "import callgate\ndef mine(): return callgate.current_call().id")
    (mine,) = made.start("chained.mine")
    holder = threading.Event()
    release = threading.Event()
    begin = made.executor._begin

    def begin_and_wait(run: Any) -> float:
        began = begin(run)
        holder.set()
        release.wait(20)
        return began

    made.executor._begin = begin_and_wait
    call = Call(CallFunctionRequest(), b"", CallContext("outer"), NobodyWaits())
    thread = threading.Thread(target=lambda: made.executor.call(mine, call))
    thread.start()
    assert holder.wait(20)
    with pytest.raises(CallFailed) as caught:
        made.call(mine, chain=("outer",))
    assert caught.value.reason == "WOULD_DEADLOCK"
    release.set()
    thread.join(20)
    assert made.call(mine, chain=("somebody else",))


@needs_interpreters
def test_context_variables_and_thread_locals_of_one_call_are_not_the_next_ones(bench):
    made = bench(workers=1)
    made.write(
        "contextual",
        "import contextvars, threading\nv = contextvars.ContextVar('v', default=0)\nlocal = threading.local()\n"
        "def bump():\n    v.set(v.get() + 1)\n    local.n = getattr(local, 'n', 0) + 1\n    return [v.get(), local.n]",
    )
    (bump,) = made.start("contextual.bump")
    assert [made.call(bump) for _ in range(3)] == [[1, 1]] * 3
