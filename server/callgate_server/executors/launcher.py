"""Worker processes from their start to their end, as the crew's thread attends to them.

    launch ──▶ starting ──READY──▶ ready ──────────▶ gone: buried, output drained, descriptors closed
                  └──FAILED, death, start_timeout──▶

Everything here runs on the attendant's thread; `close_unused` alone also asks who borrowed what.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from callgate_server.executors.attendant import Attendant
from callgate_server.executors.frames import BadFrame, Frame, Hangup, Kind
from callgate_server.executors.worker_output import OutputLines
from callgate_server.executors.worker_process import Doom, WorkerProcess

__all__ = ["Charter", "Launcher", "Problem"]

log = structlog.get_logger("callgate.workers")

#: Seconds that a worker may take to exit by itself (its atexit functions) before it is killed. Arbitrary.
_LEAVING = 2.0

#: Why a worker is not ready: what its FAILED frame says, or {"problem": "died", "how": …}.
Problem = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Charter:
    """What one generation of workers is started with.

    Attributes:
        generation: a number; the largest is the current one.
        start: the head of their START frame.
    """

    generation: int
    start: bytes


@dataclass(frozen=True, slots=True)
class _Starting:
    charter: Charter
    ready: Callable[[WorkerProcess], None]
    failed: Callable[[Problem], None]


class Launcher:
    """Starts workers and watches them.

    Args:
        name: the executor's name; workers are "name/1" and so on.
        command: what starts one, without its descriptors.
        start_timeout: seconds that a worker may take until it is ready.
        attendant: the thread.
        ended: told of a worker that was ready and has ended, or closed its sockets.
        in_use: whether a thread still reads a worker's socket.
    """

    def __init__(
        self,
        name: str,
        command: tuple[str, ...],
        start_timeout: float,
        attendant: Attendant,
        *,
        ended: Callable[[WorkerProcess], None],
        in_use: Callable[[WorkerProcess], bool],
    ) -> None:
        self._name = name
        self._command = command
        self._start_timeout = start_timeout
        self._attendant = attendant
        self._tell_ended = ended
        self._in_use = in_use
        self._numbers = itertools.count(1)
        self._starting: dict[WorkerProcess, _Starting] = {}
        self._alive: dict[WorkerProcess, tuple[OutputLines, OutputLines]] = {}

    @property
    def alive(self) -> Iterable[WorkerProcess]:
        """Workers that have been launched and are not gone."""
        return tuple(self._alive)

    def coming(self, generation: int) -> int:
        """How many of a generation are starting."""
        return sum(starting.charter.generation == generation for starting in self._starting.values())

    def launch(
        self, charter: Charter, ready: Callable[[WorkerProcess], None], failed: Callable[[Problem], None]
    ) -> WorkerProcess | None:
        """Start a worker.

        Args:
            charter: what it loads.
            ready: called when it is.
            failed: called once if it is not; the worker is then gone.

        Returns:
            The worker; None if it has failed already.
        """
        name = f"{self._name}/{next(self._numbers)}"
        try:
            worker = WorkerProcess(name, self._command, charter.generation)
        except OSError as error:
            failed({"problem": "died", "how": f"could not be started: {error}"})
            return None
        bound = log.bind(worker=name, pid=worker.pid)
        lines = (OutputLines(worker.stdout, bound, "stdout"), OutputLines(worker.stderr, bound, "stderr"))
        self._alive[worker] = lines
        self._starting[worker] = _Starting(charter, ready, failed)
        watch = self._attendant.watch
        for one in lines:
            watch(one.pipe, partial(self._read, one))
        if worker.pidfd is not None:
            watch(worker.pidfd, partial(self._ended, worker))
        watch(worker.control, partial(self._control_said, worker))
        watch(worker.calls_fd, partial(self._answered, worker))
        self._attendant.after(self._start_timeout, partial(self._too_slow, worker))
        try:
            worker.prepare(charter.start)
        except Hangup:
            pass  # its end is an event of its own
        return worker

    def _read(self, lines: OutputLines) -> None:
        if not lines.read():
            self._attendant.unwatch(lines.pipe)

    def _too_slow(self, worker: WorkerProcess) -> None:
        self.fail(worker, {"problem": "died", "how": f"was not ready after {self._start_timeout:g} s (start_timeout)"})

    def _answered(self, worker: WorkerProcess) -> None:
        """A starting worker has said something."""
        try:
            frame = worker.prepared()
        except Hangup:
            self._ended(worker)
            return
        except BadFrame:
            worker.end(Doom.GARBAGE)
            self._ended(worker)
            return
        self._attendant.unwatch(worker.calls_fd)
        if frame.kind is Kind.FAILED:
            self.fail(worker, _problem(frame))
        else:
            self._starting.pop(worker).ready(worker)

    def _control_said(self, worker: WorkerProcess) -> None:
        """The control socket can be read: workers never write to it."""
        if worker.babbles():
            worker.end(Doom.GARBAGE)
        self._ended(worker)

    def _ended(self, worker: WorkerProcess) -> None:
        """A worker's process has ended, or it closed or misused a socket."""
        if worker in self._starting:
            self.fail(worker, {"problem": "died", "how": f"{worker.bury().how} while it started"})
        elif worker in self._alive:
            self._tell_ended(worker)
            self.forget(worker)

    def fail(self, worker: WorkerProcess, problem: Problem) -> None:
        """End a worker that is starting; no other."""
        starting = self._starting.pop(worker, None)
        if starting is not None:
            worker.end(Doom.REPLACED)
            self.forget(worker)
            starting.failed(problem)

    def let_leave(self, worker: WorkerProcess) -> None:
        """Let a worker that nobody will ask anything exit by itself."""
        if worker in self._alive:
            worker.leave()
            self._attendant.after(_LEAVING, partial(self._end_leaving, worker))

    def _end_leaving(self, worker: WorkerProcess) -> None:
        if worker in self._alive:
            worker.end(Doom.REPLACED)

    def forget(self, worker: WorkerProcess) -> None:
        """Bury a worker that is dead or as good as dead, and log the rest of its output. Idempotent."""
        lines = self._alive.pop(worker, None)
        if lines is None:
            return
        worker.bury()
        for one in lines:
            one.drain()
        for what in (worker.stdout, worker.stderr, worker.control, worker.calls_fd, worker.pidfd):
            if what is not None:
                self._attendant.unwatch(what)
        self.close_unused(worker)

    def close_unused(self, worker: WorkerProcess) -> None:
        """Close the descriptors of a worker that is gone, unless somebody still has it; then they call again."""
        if worker not in self._alive and not self._in_use(worker):
            worker.close()

    def fail_all(self, how: str) -> None:
        """End all that are starting."""
        for worker in tuple(self._starting):
            self.fail(worker, {"problem": "died", "how": how})


def _problem(frame: Frame) -> Problem:
    try:
        problem = json.loads(frame.head)
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"problem": "died", "how": "said that it failed, but not how"}
