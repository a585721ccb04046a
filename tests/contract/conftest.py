"""One suite for every executor: a parameter is one executor, ready to be called without transport and dispatcher."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from callgate.context import CallContext
from callgate.failures import CallFailed
from callgate.v1.function_service_pb2 import CallFunctionRequest, CallFunctionResponse
from callgate.values import decode, encode
from callgate_server.call import Call, NobodyWaits, new_call_id
from callgate_server.executors.base import Executor, Surroundings
from callgate_server.executors.make import make_executor
from callgate_server.executors.serial import JobThread
from callgate_server.invocation import Invoker
from callgate_server.ladder import Graces, Ladder
from callgate_server.registry import Exposed, ExposureRule, Registry
from callgate_server.settings import ExecutorSettings

FUNCTIONS = Path(__file__).parent / "functions"
sys.path.insert(0, str(FUNCTIONS))

#: A short pause before an interruption, for which only calls wait that must be stopped. A long one before the kill: an
#: interruption that helps comes first on a busy machine too.
GRACES = Graces(interrupt=0.02, kill=10)

#: For tests of what comes after an interruption that does not help.
SOON = Graces(interrupt=0.02, kill=0.3)

EXECUTORS: dict[str, dict[str, Any]] = {
    "serial": {"kind": "serial"},
    "serial-dedicated": {"kind": "serial", "thread": "dedicated"},
    "serial-main": {"kind": "serial", "thread": "main"},
    "threads": {"kind": "threads", "max_workers": 4},
    "coroutines": {"kind": "coroutines"},
    "interpreters": {"kind": "interpreters", "workers": 2},
    "processes": {"kind": "processes", "workers": 2},
}


class Caller(NobodyWaits):
    """A caller that can leave, and that keeps what it was answered early."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.answered = threading.Event()
        self._gone: list[Callable[[], None]] = []
        self._left = False

    def watch(self, gone: Callable[[], None]) -> bool:
        self._gone.append(gone)
        return not self._left

    def answer(self, status: Any) -> bool:
        self.answers.append(status)
        self.answered.set()
        return True

    def leave(self) -> None:
        self._left = True
        for gone in tuple(self._gone):
            gone()


class Signal:
    """An event that works across threads, interpreters and processes: a FIFO. Waiting blocks in the kernel."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._fd = os.open(path, os.O_RDWR)  # both ends, so that opening it blocks nobody

    def wait(self, timeout: float = 20) -> None:
        readable, _, _ = select.select([self._fd], [], [], timeout)
        assert readable, f"{self.path} was never signalled"
        os.read(self._fd, 1)

    def is_set(self) -> bool:
        return bool(select.select([self._fd], [], [], 0)[0])

    def set(self) -> None:
        os.write(self._fd, b"x")

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def signal(tmp_path: Path) -> Iterator[Callable[[str], Signal]]:
    """Makes Signals by name."""
    made: list[Signal] = []

    def make(name: str) -> Signal:
        made.append(Signal(tmp_path / f"{name}-{len(made)}"))
        return made[-1]

    yield make
    for one in made:
        one.close()


@dataclass
class Harness:
    """One executor under test."""

    kind: str
    executor: Executor
    registry: Registry
    ladder: Ladder
    wedges: list[tuple[str, float]]

    @property
    def module(self) -> str:
        return "contract_coroutines" if self.kind == "coroutines" else "contract_functions"

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """Call a contract function by its name and decode its result. Keywords of `_made` are about the call."""
        response = self.executor.call(self.exposed(function), self._made(function, args, kwargs))
        return decode(CallFunctionResponse.FromString(response).value)

    def stream(self, function: str, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """As `call`, for a stream."""
        for item in self.executor.stream(self.exposed(function), self._made(function, args, kwargs)):
            yield decode(CallFunctionResponse.FromString(item).value)

    def _made(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        deadline: float | None = kwargs.pop("deadline", None)
        chain: tuple[str, ...] = kwargs.pop("chain", ())
        caller: Caller | None = kwargs.pop("caller", None)
        call_id: str = kwargs.pop("call_id", "")
        identity: str = kwargs.pop("identity", "anonymous")
        request = CallFunctionRequest(module=self.module, function=function)
        for arg in args:
            encode(arg, request.args.add())
        for name, value in kwargs.items():
            encode(value, request.kwargs[name])
        context = CallContext(call_id or new_call_id(), identity, deadline, chain)
        return Call(request, request.SerializeToString(), context, caller or NobodyWaits())

    def exposed(self, function: str) -> Exposed:
        return self.registry.resolve(self.module, function)

    def fails(self, *args: Any, **kwargs: Any) -> CallFailed:
        """Make a call that must fail, and return how."""
        with pytest.raises(CallFailed) as caught:
            self.call(*args, **kwargs)
        return caught.value

    def in_background(self, *args: Any, **kwargs: Any) -> Background:
        return Background(lambda: self.call(*args, **kwargs))


class Background:
    """A call on a thread of its own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error

    def result(self, timeout: float = 20) -> Any:
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "the call did not end"
        if self._error is not None:
            raise self._error
        return self._result

    def ended(self) -> str:
        """How it ended: "OK" or the failure's reason; for a call that may just have finished before it was stopped."""
        try:
            self.result()
        except CallFailed as failure:
            return failure.reason
        return "OK"

    def failure(self) -> CallFailed:
        with pytest.raises(CallFailed) as caught:
            self.result()
        return caught.value


def make_harness(kind: str, settings: dict[str, Any]) -> Iterator[Harness]:
    """Build, start and close one executor."""
    if settings["kind"] == "interpreters" and sys.version_info < (3, 13):
        pytest.skip("sub-interpreters with a GIL of their own need CPython 3.13")
    ladder = Ladder(GRACES)
    wedges: list[tuple[str, float]] = []
    around = Surroundings(
        Invoker(),
        ladder,
        import_path=(str(FUNCTIONS),),
        report_wedge=lambda executor, exposed, call, seconds: wedges.append((exposed.name, seconds)) or (lambda: None),
    )
    main = JobThread()
    thread = threading.Thread(target=main.run) if settings.get("thread") == "main" else None
    if thread is not None:
        thread.start()  # stands in for the main thread
    registry = Registry(
        [ExposureRule((f"contract_{'coroutines' if kind == 'coroutines' else 'functions'}.*",), executor=kind)]
    )
    executor = make_executor(kind, ExecutorSettings(**settings), around, main)
    try:
        executor.start(list(registry))
        yield Harness(settings["kind"], executor, registry, ladder, wedges)
    finally:
        executor.close(0.0)
        ladder.close()
        main.stop()
        if thread is not None:
            thread.join(5)


@pytest.fixture(scope="module", params=EXECUTORS)
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    yield from make_harness(request.param, EXECUTORS[request.param])


@pytest.fixture(params=EXECUTORS)
def fresh_harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """One for a test that closes it, or counts from the start."""
    yield from make_harness(request.param, EXECUTORS[request.param])
