"""A front with worker processes, whose functions do their worst."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog

from callgate.context import CallContext
from callgate.failures import CallFailed
from callgate.v1.function_service_pb2 import CallFunctionRequest, CallFunctionResponse
from callgate.values import decode, encode
from callgate_server.call import Call, NobodyWaits, new_call_id
from callgate_server.executors.base import Surroundings
from callgate_server.executors.processes import ProcessesExecutor
from callgate_server.invocation import Invoker
from callgate_server.ladder import Graces, Ladder
from callgate_server.registry import ExposureRule, Registry
from callgate_server.settings import ExecutorSettings
from tests.contract.conftest import Background, Caller, Signal, signal

__all__ = ["Front", "signal"]  # `signal` is a fixture

FUNCTIONS = Path(__file__).parent / "functions"
sys.path.insert(0, str(FUNCTIONS))

#: The kill is far away, so that an interruption that helps comes first on a busy machine too.
GRACES = Graces(interrupt=0.05, kill=10)

#: For tests in which a worker is to be killed.
SOON = Graces(interrupt=0.05, kill=0.2)


class Front:
    """A `processes` executor, and what became of it."""

    def __init__(self, module: str, import_path: tuple[str, ...], settings: dict[str, Any]) -> None:
        self.module = module
        self.ladder = Ladder(GRACES)
        self.gave_up: list[str] = []
        self.given_up = threading.Event()
        around = Surroundings(Invoker(), self.ladder, import_path, give_up=self._give_up)
        self.registry = Registry([ExposureRule((f"{module}.*",), executor="cpu")])
        self.executor = ProcessesExecutor(
            "cpu", around, ExecutorSettings(kind="processes", **{"workers": 2, **settings})
        )

    def _give_up(self, sentence: str) -> None:
        self.gave_up.append(sentence)
        self.given_up.set()

    def call(self, function: str, *args: Any, **about: Any) -> Any:
        """Call a function and decode its result; keywords of `_made` are about the call."""
        response = self.executor.call(self.registry.resolve(self.module, function), self._made(function, args, **about))
        return decode(CallFunctionResponse.FromString(response).value)

    def stream(self, function: str, *args: Any, **about: Any) -> Generator[Any]:
        """As `call`, for a stream."""
        items = self.executor.stream(self.registry.resolve(self.module, function), self._made(function, args, **about))
        with closing(items):
            for item in items:
                yield decode(CallFunctionResponse.FromString(item).value)

    def _made(
        self,
        function: str,
        args: tuple[Any, ...],
        seconds: float | None = None,
        caller: Caller | None = None,
        chain: tuple[str, ...] = (),
    ) -> Call:
        request = CallFunctionRequest(module=self.module, function=function)
        for arg in args:
            encode(arg, request.args.add())
        deadline = None if seconds is None else time.monotonic() + seconds
        context = CallContext(new_call_id(), "alice", deadline, chain)
        return Call(request, request.SerializeToString(), context, caller or NobodyWaits())

    def fails(self, *args: Any, **kwargs: Any) -> CallFailed:
        """Make a call that must fail, and return how."""
        with pytest.raises(CallFailed) as caught:
            self.call(*args, **kwargs)
        return caught.value

    def in_background(self, *args: Any, **kwargs: Any) -> Background:
        return Background(lambda: self.call(*args, **kwargs))

    def close(self) -> None:
        self.executor.close(0.0)
        self.ladder.close()


@pytest.fixture
def make_front(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Front]]:
    """Makes fronts: `make_front(workers=1)`. All are closed afterwards, and must leave no process behind."""
    made: list[Front] = []

    def make(
        module: str = "chaos_functions", import_path: tuple[str, ...] = (str(FUNCTIONS),), **settings: Any
    ) -> Front:
        for folder in import_path:
            monkeypatch.syspath_prepend(folder)
        front = Front(module, import_path, settings)
        made.append(front)
        front.executor.start(list(front.registry))
        return front

    yield make
    for front in made:
        front.close()
    assert not children(), "a worker or its zombie is left"


@pytest.fixture
def front(make_front: Callable[..., Front]) -> Front:
    """One with two workers."""
    return make_front()


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """What is logged."""
    with structlog.testing.capture_logs() as entries:
        yield entries


def number_from(told: Signal) -> int:
    """The number that a function wrote to a FIFO."""
    fd = os.open(told.path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert select.select([fd], [], [], 20)[0], "nothing was written"
        return int(os.read(fd, 100))
    finally:
        os.close(fd)


def children() -> list[int]:
    """This process's children, zombies among them."""
    own = os.getpid()
    return [pid for pid in processes() if _parent(pid) == own]


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def lives(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def metadata(failure: CallFailed) -> dict[str, str]:
    from callgate.failures import error_from_status

    return dict(error_from_status(failure.status).metadata)  # type: ignore[attr-defined] # a GateError
