"""The workers of one executor, as a crew of constant size: lent to calls, and replaced when they are lost or worn.

                 borrow, give_back                                 one thread, "callgate-crew-NAME" (an Attendant)
    pool threads ─────────────────▶ idle ◀──── enlist ◀── READY ◀── Launcher ◀──┐
                 lost ────────────────────────▶ one fewer serves ──▶ reconcile ─┘ how many are missing?

One thread launches all workers, reads their output and waits for their ends: Linux's "kill me when my parent dies" is
about the parent's *thread*, so the thread that launches must outlive them all.

Invariants, under `_lock`:
* `_serving` holds the workers that are ready, lent or idle; `_idle` is a part of it. The Turn has as many places as
  there are workers in `_serving`, so who has a turn finds an idle worker, unless one has died in between.
* A worker leaves `_serving` or `_spares` once, by whoever notices first that it is gone; its descriptors are closed
  when it is gone and not lent.
* `_spares` are ready and in nobody's place yet: started for workers that will leave soon.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog

from callgate_server.executors.attendant import Attendant
from callgate_server.executors.launcher import Charter, Launcher, Problem
from callgate_server.executors.supervision import Backoff, Intensity
from callgate_server.executors.worker_process import Death, Doom, WorkerProcess

__all__ = ["Crew", "StartFailed"]

log = structlog.get_logger("callgate.workers")


class StartFailed(Exception):
    """A worker did not get ready.

    Attributes:
        problem: what its FAILED frame said, or {"problem": "died", "how": …}.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem.get("how") or problem.get("trace") or problem))
        self.problem = problem


@dataclass(slots=True)
class _Muster:
    """Workers that somebody waits for, all or none: at the start and on reload."""

    charter: Charter
    ready: list[WorkerProcess] = field(default_factory=list)
    starting: list[WorkerProcess] = field(default_factory=list)
    failure: Problem | None = None
    done: threading.Event = field(default_factory=threading.Event)


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
        #: Workers replaced after a crash or a kill.
        self.restarts = 0
        self._intensity = intensity
        self._resize = resize
        self._give_up = give_up
        self._max_calls = max_calls
        # The replacement of a worker that may run so many calls is started that many calls before its last.
        self._ahead = max(1, max_calls // 10) if max_calls is not None else 0
        self._lock = threading.Lock()
        self._charter = Charter(0, b"")
        self._serving: set[WorkerProcess] = set()
        self._idle: list[WorkerProcess] = []
        self._lent: set[WorkerProcess] = set()
        self._spares: list[WorkerProcess] = []
        self._closing = self._given_up = False
        # The thread's own, from here on.
        self._backoff = Backoff()
        self._retrying = 0  # replacements whose back-off has not passed
        self._replacing = 0  # replacements that are starting
        self._pending: _Muster | None = None
        self._may_end = False
        self._attendant = Attendant(f"callgate-crew-{name}", self._all_gone)
        self._launcher = Launcher(
            name, command, start_timeout, self._attendant, ended=self._ended, in_use=self._lent.__contains__
        )

    # ------------------------------------------------------------------------------------------------ any thread

    def muster(self, charter: Charter) -> None:
        """Start a full crew, and let it take over when all are ready; the one before leaves call by call.

        One muster at a time.

        Raises:
            StartFailed: if one of them cannot get ready; then nothing has changed.
        """
        muster = _Muster(charter)
        with self._lock:
            if self._closing:
                raise StartFailed({"problem": "died", "how": "was not started: the executor closes"})
            self._attendant.start()
            self._attendant.submit(partial(self._begin, muster))
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
        """End a loan; one whose time is over leaves."""
        with self._lock:
            self._lent.discard(worker)
            if worker not in self._serving:
                close = partial(self._launcher.close_unused, worker)
                if not self._attendant.submit(close):
                    close()  # a loan that outlived the crew
                return
            spent = self._max_calls is not None and worker.calls >= self._max_calls
            if not spent and worker.generation == self._charter.generation and not self._closing:
                self._idle.append(worker)
                if not (self._leaves_soon(worker) or self._spares):
                    return
            else:
                self._dismiss(worker)
            worker.doubtful = False
            self._attendant.submit(self._reconcile)

    def keeps(self, worker: WorkerProcess) -> bool:
        """Whether a lent worker may go from one call to the next without being given back in between."""
        with self._lock:
            return (
                worker in self._serving
                and worker.generation == self._charter.generation
                and not (self._closing or self._spares or self._leaves_soon(worker))
            )

    def doubt(self, worker: WorkerProcess, seconds: float) -> None:
        """A lent worker will be killed if its call does not end: have a replacement started after `seconds`."""
        self._attendant.submit(partial(self._attendant.after, seconds, partial(self._doubt, worker, worker.calls)))

    def lost(self, worker: WorkerProcess) -> Death:
        """A worker is dead, dying, or not to be trusted: take it out, and have it replaced. Idempotent.

        Returns:
            How it ended.
        """
        death = worker.bury()
        sentence = ""
        with self._lock:
            if worker in self._spares:
                self._spares.remove(worker)
            elif worker in self._serving:
                self._serving.discard(worker)
                if worker in self._idle:
                    self._idle.remove(worker)
                self._resize(len(self._serving))
            else:
                return death
            if worker.doom is not Doom.REPLACED:
                self.restarts += 1
            if worker.doom in (None, Doom.GARBAGE) and self._intensity.crashed():
                sentence = (
                    f"executor {self.name!r}: {self._intensity.limit} workers crashed within "
                    f"{self._intensity.within:g} s; the last one {death.how}"
                )
        self._log_death(worker, death)
        if sentence:
            self._abandon(sentence)
        self._attendant.submit(partial(self._launcher.forget, worker))
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
            if self._given_up or self._closing:
                return
            self._given_up = True
        log.critical("giving up", executor=self.name, why=sentence)
        self._give_up(sentence)

    def _dismiss(self, worker: WorkerProcess) -> None:
        """Under the lock: a worker that nobody has leaves."""
        self._serving.discard(worker)
        self._resize(len(self._serving))
        self._attendant.submit(partial(self._launcher.let_leave, worker))

    def _leaves_soon(self, worker: WorkerProcess) -> bool:
        """Under the lock: whether its replacement should be on its way."""
        if worker.worn or worker.doubtful:
            return True
        return self._max_calls is not None and worker.calls >= self._max_calls - self._ahead

    def close(self) -> None:
        """Let idle workers leave, and wait until all are gone; lent ones must have been killed, or be given back."""
        with self._lock:
            self._closing = True
            self._attendant.submit(self._begin_close)
        self._attendant.join()

    # -------------------------------------------------------------------------------------------- the crew's thread

    def _all_gone(self) -> bool:
        with self._lock:
            return self._may_end and not self._launcher.alive

    def _begin(self, muster: _Muster) -> None:
        self._pending = muster
        for _ in range(self.size):
            if muster.failure is None:
                worker = self._launcher.launch(muster.charter, self._join, partial(self._fail_muster, muster))
                if worker is not None:
                    muster.starting.append(worker)

    def _join(self, worker: WorkerProcess) -> None:
        """A worker of the pending muster is ready; the last one makes it take over."""
        muster = self._pending
        assert muster is not None  # its workers are ended with it
        muster.starting.remove(worker)
        muster.ready.append(worker)
        if muster.starting or len(muster.ready) < self.size:
            return
        with self._lock:
            self._charter = muster.charter
            for old in (*self._idle, *self._spares):
                self._serving.discard(old)
                self._attendant.submit(partial(self._launcher.let_leave, old))
            self._idle = list(muster.ready)
            self._spares = []
            self._serving.update(muster.ready)
            self._resize(len(self._serving))
        self._pending = None
        muster.done.set()
        self._reconcile()

    def _fail_muster(self, muster: _Muster, problem: Problem) -> None:
        if muster.failure is None:
            muster.failure = problem
            self._pending = None
            for worker in tuple(muster.starting):
                self._launcher.fail(worker, problem)
            for worker in muster.ready:
                self._launcher.let_leave(worker)
            muster.done.set()

    def _enlist(self, worker: WorkerProcess) -> None:
        """A replacement is ready: in the place of one that is missing, or of one that is worn, or as a spare."""
        with self._lock:
            if worker.generation != self._charter.generation or self._closing:
                self._attendant.submit(partial(self._launcher.let_leave, worker))
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
        """Put spares where they are needed, start what is missing, and let go what is too many."""
        with self._lock:
            if self._closing or self._given_up or not self._charter.generation:
                return
            spares, self._spares = self._spares, []
        for spare in spares:
            self._enlist(spare)
        with self._lock:
            charter = self._charter
            current = [one for one in self._serving if one.generation == charter.generation]
            wanted = self.size + sum(map(self._leaves_soon, current))
            missing = wanted - len(current) - len(self._spares) - self._replacing - self._retrying
            while missing < 0 and self._spares:
                self._attendant.submit(partial(self._launcher.let_leave, self._spares.pop()))
                missing += 1
        for _ in range(missing):
            self._replacing += 1
            self._launcher.launch(charter, self._replaced, self._not_replaced)

    def _replaced(self, worker: WorkerProcess) -> None:
        self._replacing -= 1
        self._backoff.succeeded()
        self._enlist(worker)
        self._reconcile()

    def _not_replaced(self, problem: Problem) -> None:
        self._replacing -= 1
        if self._closing:
            return
        wait = self._backoff.failed()
        why = problem.get("trace") or problem.get("how") or str(problem)
        log.error("worker did not start", executor=self.name, retry_in=wait, why=why)
        if wait is None:
            self._abandon(f"executor {self.name!r}: {self._backoff.failures} workers in a row did not start")
            return
        self._retrying += 1
        self._attendant.after(wait, self._retry)

    def _retry(self) -> None:
        self._retrying -= 1
        self._reconcile()

    def _doubt(self, worker: WorkerProcess, calls: int) -> None:
        with self._lock:
            if worker not in self._lent or worker.calls != calls:
                return  # its call has ended
            worker.doubtful = True
        self._reconcile()

    def _ended(self, worker: WorkerProcess) -> None:
        """A worker that was ready has ended."""
        death = self.lost(worker)
        if self._pending is not None and worker in self._pending.ready:
            how = f"{death.how} before the others were ready"
            self._fail_muster(self._pending, {"problem": "died", "how": how})

    def _begin_close(self) -> None:
        self._may_end = True
        self._launcher.fail_all("was ended: the executor closes")
        with self._lock:
            leaving = [worker for worker in self._launcher.alive if worker not in self._lent]
            self._serving.difference_update(leaving)
            self._idle, self._spares = [], []
            self._resize(len(self._serving))
        for worker in leaving:
            self._launcher.let_leave(worker)
