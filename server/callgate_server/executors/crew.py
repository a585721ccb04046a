"""The workers of one executor: started, watched, replaced.

                 borrow, give_back                                 one thread, "callgate-crew-NAME"
    pool threads ─────────────────▶ idle ◀──── enlist ──── READY ◀─── starting ◀─── spawn ◀──┐
                 lost ────────────────────────▶ serving changes, the Turn is resized, wake ───┘ missing?

One thread spawns all workers, reads their output and waits for their ends: Linux's "kill me when my parent dies" is
about the parent's *thread*, so the thread that spawns must outlive them all.

Invariants, under `_lock`:
* `_serving` holds the workers that are ready, lent or idle; `_idle` is a part of it. The Turn has as many places as
  there are workers in `_serving`, so who has a turn finds an idle worker, unless one has died in between.
* A worker leaves `_serving` once, by whoever notices first that it is gone; its sockets are closed when it is neither
  in `_serving` nor lent.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from callgate_server.executors.attendant import Attendant
from callgate_server.executors.frames import BadFrame, Frame, Hangup, Kind
from callgate_server.executors.supervision import Backoff, Intensity
from callgate_server.executors.worker_output import OutputLines
from callgate_server.executors.worker_process import Death, Doom, WorkerProcess

__all__ = ["Charter", "Crew", "StartFailed"]

log = structlog.get_logger("callgate.workers")

#: Seconds that a worker may take to exit by itself (its atexit functions) before it is killed. Arbitrary.
_LEAVING = 2.0


@dataclass(frozen=True, slots=True)
class Charter:
    """What one generation of workers is started with.

    Attributes:
        generation: a number; the largest is the current one.
        start: the head of their START frame.
    """

    generation: int
    start: bytes


class StartFailed(Exception):
    """A worker did not get ready.

    Attributes:
        problem: what its FAILED frame said, or {"problem": "died", "how": …}.
    """

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("how") or problem.get("trace") or problem))
        self.problem = problem


@dataclass(slots=True)
class _Muster:
    """Workers that somebody waits for, all or none: at the start and on reload."""

    wanted: int
    charter: Charter
    ready: list[WorkerProcess] = field(default_factory=list)
    failure: dict[str, Any] | None = None
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Starting:
    worker: WorkerProcess
    charter: Charter
    muster: _Muster | None


class Crew:
    """Workers.

    Args:
        name: the executor's name, for the log.
        size: how many.
        command: what starts one, without its descriptors.
        start_timeout: seconds that a worker may take to import its modules.
        intensity: how many crashes are too many.
        resize: told how many workers serve, whenever that changes; called under the crew's lock.
        give_up: told why it cannot go on, once.
        max_calls: a worker leaves after so many; None for no limit.
    """

    def __init__(
        self,
        name: str,
        size: int,
        command: tuple[str, ...],
        *,
        start_timeout: float,
        intensity: Intensity,
        resize: Callable[[int], None],
        give_up: Callable[[str], None],
        max_calls: int | None = None,
    ) -> None:
        self.name = name
        self.size = size
        self.command = command
        #: Workers replaced after a crash or a kill.
        self.restarts = 0
        self._start_timeout = start_timeout
        self._intensity = intensity
        self._resize = resize
        self._give_up = give_up
        self._max_calls = max_calls
        # The replacement of a worker that may run so many calls is started that many calls before its last.
        self._ahead = max(1, max_calls // 10) if max_calls is not None else 0
        self._backoff = Backoff()
        self._lock = threading.Lock()
        self._charter = Charter(0, b"")
        self._serving: set[WorkerProcess] = set()
        self._idle: list[WorkerProcess] = []
        self._lent: set[WorkerProcess] = set()
        self._spares: list[WorkerProcess] = []
        self._closing = self._given_up = False
        # The thread's own.
        self._numbers = itertools.count(1)
        self._starting: dict[WorkerProcess, _Starting] = {}
        self._retrying = 0  # replacements whose back-off has not passed
        self._alive: dict[WorkerProcess, tuple[OutputLines, OutputLines]] = {}
        self._attendant = Attendant(f"callgate-crew-{name}", self._all_gone)

    def _all_gone(self) -> bool:
        return self._closing and not self._alive and not self._lent

    # ------------------------------------------------------------------------------------------------ any thread

    def muster(self, charter: Charter) -> None:
        """Start a full crew, and let it take over when all are ready; the one before leaves call by call.

        Raises:
            StartFailed: if one of them cannot get ready; then nothing has changed.
        """
        self._attendant.start()
        muster = _Muster(self.size, charter)
        self._attendant.submit(lambda: self._begin(muster))
        muster.done.wait()
        if muster.failure is not None:
            raise StartFailed(muster.failure)

    def borrow(self) -> WorkerProcess | None:
        """An idle worker, the one that worked last: its caches are warm. None if the last has just died."""
        with self._lock:
            if not self._idle:
                return None
            worker = self._idle.pop()
            self._lent.add(worker)
            return worker

    def give_back(self, worker: WorkerProcess) -> None:
        """End a loan; a worker that was lost meanwhile is closed, one whose time is over leaves."""
        with self._lock:
            self._lent.discard(worker)
            if worker not in self._serving:
                self._attendant.submit(lambda: self._close_unused(worker))
                return
            spent = self._max_calls is not None and worker.calls >= self._max_calls
            if not spent and worker.generation == self._charter.generation and not self._closing:
                self._idle.append(worker)
                if not worker.worn and not self._is_ahead(worker):
                    return
            else:
                self._dismiss(worker)
        self._attendant.submit(self._reconcile)

    def lost(self, worker: WorkerProcess) -> Death:
        """A worker is dead, dying, or not to be trusted: take it out, and have it replaced. Idempotent.

        Returns:
            How it ended.
        """
        death = worker.bury()
        sentence = ""
        with self._lock:
            if worker not in self._serving:
                return death
            self._serving.discard(worker)
            if worker in self._idle:
                self._idle.remove(worker)
            self._resize(len(self._serving))
            doom = worker.doom
            if doom is not Doom.REPLACED:
                self.restarts += 1
            if doom in (None, Doom.GARBAGE) and self._intensity.crashed():
                sentence = (
                    f"executor {self.name!r}: {self._intensity.limit} workers crashed within "
                    f"{self._intensity.within:g} s; the last one {death.how}"
                )
        self._log_death(worker, death)
        if sentence:
            self._abandon(sentence)
        self._attendant.submit(lambda: self._forget(worker))
        self._attendant.submit(self._reconcile)
        return death

    def _log_death(self, worker: WorkerProcess, death: Death) -> None:
        function, call_id = worker.running or ("", "")
        about = {"worker": worker.name, "pid": worker.pid, "how": death.how, "function": function, "call_id": call_id}
        if worker.doom is Doom.STOPPED:
            log.warning("worker killed: its call did not stop", **about)
        elif worker.doom is not Doom.REPLACED:
            log.error("worker crashed", **about)

    def _abandon(self, sentence: str) -> None:
        with self._lock:
            if self._given_up:
                return
            self._given_up = True
        log.critical("giving up", executor=self.name, why=sentence)
        self._give_up(sentence)

    def _dismiss(self, worker: WorkerProcess) -> None:
        """Under the lock: a worker that nobody borrows leaves."""
        self._serving.discard(worker)
        self._resize(len(self._serving))
        self._attendant.submit(lambda: self._let_leave(worker))

    def _is_ahead(self, worker: WorkerProcess) -> bool:
        return self._max_calls is not None and worker.calls >= self._max_calls - self._ahead

    def end_all(self) -> None:
        """Kill every worker that runs a call; their callers' threads see it at once."""
        with self._lock:
            lent = tuple(self._lent)
        for worker in lent:
            worker.end(Doom.STOPPED)

    def close(self) -> None:
        """Let idle workers leave, kill the rest, and wait until all are gone."""
        with self._lock:
            self._closing = True
        self._attendant.submit(self._begin_close)
        self._attendant.join()

    # -------------------------------------------------------------------------------------------- the crew's thread

    def _begin(self, muster: _Muster) -> None:
        for _ in range(muster.wanted):
            if muster.failure is None:
                self._spawn(muster.charter, muster)

    def _spawn(self, charter: Charter, muster: _Muster | None) -> None:
        name = f"{self.name}/{next(self._numbers)}"
        if self._closing:
            self._not_ready(None, muster, {"problem": "died", "how": "was not started: the executor closes"})
            return
        try:
            worker = WorkerProcess(name, self.command, charter.generation)
        except OSError as error:
            self._not_ready(None, muster, {"problem": "died", "how": f"could not be started: {error}"})
            return
        bound = log.bind(worker=name, pid=worker.pid)
        lines = (OutputLines(worker.stdout, bound, "stdout"), OutputLines(worker.stderr, bound, "stderr"))
        self._alive[worker] = lines
        watch = self._attendant.watch
        for one in lines:
            watch(one.pipe, partial(self._read, one))
        if worker.pidfd is not None:
            watch(worker.pidfd, lambda: self._ended(worker))
        watch(worker.control, lambda: self._ended(worker))
        watch(worker.calls_fd, lambda: self._answered(worker))
        starting = self._starting[worker] = _Starting(worker, charter, muster)
        self._attendant.after(self._start_timeout, lambda: self._too_slow(starting))
        try:
            worker.prepare(charter.start)
        except Hangup:
            pass  # its end is an event of its own

    def _too_slow(self, starting: _Starting) -> None:
        if self._starting.get(starting.worker) is starting:
            self._start_failed(
                starting.worker,
                {"problem": "died", "how": f"was not ready after {self._start_timeout:g} s (start_timeout)"},
            )

    def _answered(self, worker: WorkerProcess) -> None:
        """A starting worker has said something."""
        try:
            frame = worker.prepared()
        except (Hangup, BadFrame) as error:
            if isinstance(error, BadFrame):
                worker.end(Doom.GARBAGE)
            self._ended(worker)
            return
        self._attendant.unwatch(worker.calls_fd)
        if frame.kind is Kind.FAILED:
            self._start_failed(worker, _problem(frame))
            return
        starting = self._starting.pop(worker)
        self._backoff.succeeded()
        if starting.muster is not None:
            self._join(worker, starting.muster)
        else:
            self._enlist(worker)
        self._reconcile()

    def _join(self, worker: WorkerProcess, muster: _Muster) -> None:
        """A worker of a muster is ready; the last one makes it take over."""
        if muster.failure is not None:
            self._let_leave(worker)
            return
        muster.ready.append(worker)
        if len(muster.ready) < muster.wanted:
            return
        with self._lock:
            self._charter = muster.charter
            for old in (*self._idle, *self._spares):
                self._serving.discard(old)
                self._attendant.submit(partial(self._let_leave, old))
            self._idle = list(muster.ready)
            self._spares = []
            self._serving.update(muster.ready)
            self._resize(len(self._serving))
        muster.done.set()

    def _enlist(self, worker: WorkerProcess) -> None:
        """A replacement is ready: in the place of one that is missing, or of one that is worn, or as a spare."""
        with self._lock:
            if worker.generation != self._charter.generation or self._closing:
                self._attendant.submit(lambda: self._let_leave(worker))
                return
            current = [one for one in self._serving if one.generation == worker.generation]
            if len(current) >= self.size:
                worn = next((one for one in self._idle if one.worn), None)
                if worn is None:
                    self._spares.append(worker)
                    return
                self._idle.remove(worn)
                self._dismiss(worn)
            self._serving.add(worker)
            self._idle.append(worker)
            self._resize(len(self._serving))

    def _reconcile(self) -> None:
        """Start what is missing, after putting spares where they are needed."""
        with self._lock:
            if self._closing or self._given_up or not self._charter.generation:
                return
            generation = self._charter.generation
            current = [one for one in self._serving if one.generation == generation]
            spares, self._spares = self._spares, []
        for spare in spares:
            self._enlist(spare)
        with self._lock:
            current = [one for one in self._serving if one.generation == generation]
            soon = sum(one.worn or self._is_ahead(one) for one in current)
            coming = sum(one.muster is None and one.charter.generation == generation for one in self._starting.values())
            missing = self.size + soon - len(current) - coming - len(self._spares) - self._retrying
            charter = self._charter
        for _ in range(missing):
            self._spawn(charter, None)

    def _start_failed(self, worker: WorkerProcess, problem: dict[str, Any]) -> None:
        starting = self._starting.pop(worker, None)
        worker.end(Doom.REPLACED)
        if starting is not None:
            self._not_ready(worker, starting.muster, problem)
        worker.bury()
        self._forget(worker)

    def _not_ready(self, worker: WorkerProcess | None, muster: _Muster | None, problem: dict[str, Any]) -> None:
        if muster is not None:
            if muster.failure is None:
                muster.failure = problem
                for one in [one for one in self._starting.values() if one.muster is muster]:
                    self._start_failed(one.worker, problem)
                for ready in muster.ready:
                    self._let_leave(ready)
                muster.done.set()
            return
        if self._closing:
            return
        wait = self._backoff.failed()
        log.error(
            "worker did not start", executor=self.name, worker=worker.name if worker else "", retry_in=wait,
            why=problem.get("trace") or problem.get("how") or str(problem),
        )  # fmt: skip
        if wait is None:
            self._abandon(f"executor {self.name!r}: {self._backoff.failures} workers in a row did not start")
            return
        self._retrying += 1
        self._attendant.after(wait, self._retry)

    def _retry(self) -> None:
        self._retrying -= 1
        self._reconcile()

    def _ended(self, worker: WorkerProcess) -> None:
        """A worker's process has ended, or it closed a socket."""
        if worker not in self._alive:
            return
        if worker in self._starting:
            death = worker.bury()
            self._start_failed(worker, {"problem": "died", "how": f"{death.how} while it started"})
            return
        self.lost(worker)
        self._forget(worker)

    def _let_leave(self, worker: WorkerProcess) -> None:
        if worker in self._alive:
            worker.leave()
            self._attendant.after(_LEAVING, lambda: self._end_leaving(worker))

    def _end_leaving(self, worker: WorkerProcess) -> None:
        if worker in self._alive:
            worker.end(Doom.REPLACED)

    def _read(self, lines: OutputLines) -> None:
        if not lines.read():
            self._attendant.unwatch(lines.pipe)

    def _forget(self, worker: WorkerProcess) -> None:
        """Take a buried worker out of the selector, log the rest of its output, and close what nobody uses."""
        lines = self._alive.pop(worker, None)
        if lines is None:
            return
        worker.bury()
        for one in lines:
            one.drain()
        for what in (worker.stdout, worker.stderr, worker.control, worker.calls_fd, worker.pidfd):
            if what is not None:
                self._attendant.unwatch(what)
        with self._lock:
            if worker in self._spares:
                self._spares.remove(worker)
        self._close_unused(worker)

    def _close_unused(self, worker: WorkerProcess) -> None:
        if worker not in self._alive and worker not in self._lent:
            worker.close()

    def _begin_close(self) -> None:
        with self._lock:
            leaving = [worker for worker in self._alive if worker not in self._lent and worker not in self._starting]
            for worker in leaving:
                self._serving.discard(worker)
            self._idle, self._spares = [], []
            self._resize(len(self._serving))
        for worker in list(self._starting):
            self._start_failed(worker, {"problem": "died", "how": "was ended: the executor closes"})
        for worker in leaving:
            self._let_leave(worker)


def _problem(frame: Frame) -> dict[str, Any]:
    try:
        problem = json.loads(frame.head)
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"problem": "died", "how": "said that it failed, but not how"}
