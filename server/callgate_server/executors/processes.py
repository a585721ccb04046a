"""`processes`: functions in supervised worker processes. A crash costs one call, a hung call costs one worker.

    pool thread ──▶ Quarantine ──▶ Turn (as many places as workers that are ready; FIFO, bounded, deadline-aware)
                      └▶ Crew.borrow: an idle worker
                           └▶ WorkerProcess.ask: CALL ──────▶ worker: decode, bind, run, encode
                              (blocks in recv)     ◀────────── RESULT │ STATUS │ INTERRUPTED
                         Crew.give_back
                    turn passed on
    ladder thread ── cancelled, interrupt ──▶ the worker's control socket;  kill ──▶ SIGKILL, and a replacement

The request's bytes go through as they came, and the answer's bytes as they come: the front decodes neither, and
unpickles nothing. The thread that brought the call writes and reads the socket itself, so a call costs two wake-ups,
the worker's and its own.

Starting a worker is nobody's running time: until one is ready, calls wait in the queue, where they expire as
EXPIRED_IN_QUEUE.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial

import structlog
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from callgate.failures import CallFailed, gate_failure
from callgate_server.call import Call
from callgate_server.executors.base import ExecutorStats, Surroundings
from callgate_server.executors.crew import Crew, StartFailed
from callgate_server.executors.frames import Frame, Kind
from callgate_server.executors.in_process import not_started, stopped
from callgate_server.executors.launcher import Charter
from callgate_server.executors.supervision import Intensity, Quarantine
from callgate_server.executors.worker_process import Death, Doom, WorkerLost, WorkerProcess
from callgate_server.executors.worker_python import find_python
from callgate_server.executors.worker_run import WorkerRun
from callgate_server.loading import ModuleFailed
from callgate_server.registry import Exposed
from callgate_server.settings import ExecutorSettings, SettingsError
from callgate_server.turn import Outcome, Turn, Waiter

__all__ = ["ProcessesExecutor"]

log = structlog.get_logger("callgate.workers")

#: How many workers may die on a call's request before they have read it. Mostly they were dead already, so it is worth
#: trying another; but a request that kills whoever reads it (the out-of-memory killer) must not go through them all.
_ATTEMPTS = 3


class ProcessesExecutor:
    """Runs calls in worker processes.

    Args:
        name: its name in the settings.
        around: what the server lends.
        settings: its settings.
    """

    kind = "processes"

    def __init__(self, name: str, around: Surroundings, settings: ExecutorSettings) -> None:
        self.name = name
        self._around = around
        self._settings = settings
        self._turn = Turn(capacity=settings.queue + settings.workers, places=0)
        self._quarantine = Quarantine()
        self._crew: Crew | None = None
        self._version = ""
        self._generations = itertools.count(1)
        self._numbers = itertools.count(1)
        self._reloading = threading.Lock()
        # Guards what follows; notified when a run ends while closing.
        self._state = threading.Condition(threading.Lock())
        self._runs: set[WorkerRun] = set()
        self._closing = False
        self._completed = self._expired = self._shed = 0
        self._busy = 0.0

    @property
    def concurrency(self) -> int:
        """As many as there are workers."""
        return self._settings.workers

    # ------------------------------------------------------------------------------------------- start, reload, close

    def start(self, functions: Sequence[Exposed]) -> None:
        """Start the workers, and wait until all have imported the functions' modules.

        Raises:
            SettingsError: if workers cannot run here, or with these limits.
            ModuleFailed: if a module cannot be imported there.
        """
        settings = self._settings
        python = find_python(f"executors.{self.name}.python", settings.python)
        self._version = python.version if python.other else ""
        self._python = python
        self._crew = Crew(
            self.name,
            settings.workers,
            python.command,
            start_timeout=settings.start_timeout,
            intensity=Intensity(settings.max_crashes, settings.crash_window),
            resize=self._turn.resize,
            give_up=self._give_up,
            max_calls=settings.max_calls,
        )
        try:
            self._muster(functions)
        except BaseException:
            self._crew.close()
            raise

    def reload(self, functions: Sequence[Exposed]) -> None:
        """Start new workers, and let them take over once all have loaded the new code.

        Raises:
            SettingsError, ModuleFailed: as `start`; the old workers then go on.
        """
        with self._reloading:
            self._muster(functions)

    def _muster(self, functions: Sequence[Exposed]) -> None:
        settings, invoker = self._settings, self._around.invoker
        start = {
            "sys_path": self._python.sys_path,
            "import_path": self._around.import_path,
            "other": self._python.other,
            "functions": sorted((exposed.module, exposed.name) for exposed in functions),
            "limits": {
                "memory": settings.memory, "cpu": settings.cpu, "open_files": settings.open_files,
                "max_rss": settings.max_rss,
            },
            "value_limits": (invoker.limits.depth, invoker.limits.elements),
            "traceback": invoker.traceback,
        }  # fmt: skip
        assert self._crew is not None  # made by `start`
        try:
            self._crew.muster(Charter(next(self._generations), json.dumps(start).encode()))
        except StartFailed as failed:
            raise self._start_error(failed.problem) from None

    def _start_error(self, problem: dict[str, str]) -> Exception:
        table = f"executors.{self.name}"
        match problem.get("problem"):
            case "module":
                return ModuleFailed(problem.get("module", "?"), problem.get("trace", ""))
            case "environment":
                python = self._settings.python
                return SettingsError(
                    f"{table}.python = {str(python)!r}: workers cannot run in that environment ({problem.get('how')}); "
                    f"run: {python} -m pip install 'protobuf>=6.31.1' 'googleapis-common-protos>=1.70'"
                )
        return SettingsError(f"{table}: a worker {problem.get('how', 'failed')}")

    def _give_up(self, sentence: str) -> None:
        self._turn.close()  # nobody should wait for workers that will not come
        self._around.give_up(sentence)

    def close(self, grace: float) -> None:
        """Turn away who waits, let runs finish for `grace` seconds, then interrupt them, then kill their workers."""
        self._turn.close()
        graces = self._around.ladder.graces
        if not self._drained(grace):
            for run in self._left():
                run.call.context.flag.raised = True
                run.interrupt()
            if not self._drained(graces.kill):
                for run in self._left():
                    run.kill()
                self._drained(None)
        if self._crew is not None:
            self._crew.close()

    def _left(self) -> tuple[WorkerRun, ...]:
        with self._state:
            return tuple(self._runs)

    def _drained(self, seconds: float | None) -> bool:
        with self._state:
            self._closing = True
            return self._state.wait_for(lambda: not self._runs, timeout=seconds)

    # ---------------------------------------------------------------------------------------------------------- calls

    def call(self, exposed: Exposed, call: Call) -> bytes:
        """Have a worker run a call when its turn comes."""
        context = call.context
        self._quarantine.refuse(exposed.full_name)
        self._refuse_to_wait_for_itself(call)
        for attempt in itertools.count(1):
            waiter = Waiter(context.id)
            outcome = self._turn.take(waiter, context.deadline, call.caller.watch)
            if outcome is not Outcome.TAKEN:
                self._count(outcome)
                raise not_started(outcome, call, self._retry_after())
            try:
                assert self._crew is not None  # a turn means a worker
                worker = self._crew.borrow()
                if worker is None:
                    continue  # it has died this very moment; the turn of its replacement will come
                try:
                    return self._run(exposed, call, worker, may_retry=attempt < _ATTEMPTS)
                except WorkerLost:
                    pass  # it died before it had read the request: another one can have it
                finally:
                    self._crew.give_back(worker)
            finally:
                self._turn.release(waiter)
        raise AssertionError("count() does not end")

    def _run(self, exposed: Exposed, call: Call, worker: WorkerProcess, may_retry: bool) -> bytes:
        """Run a call in a worker.

        Raises:
            CallFailed: however it failed.
            WorkerLost: if it may be tried again, since it has provably not started.
        """
        self._quarantine.admit(exposed.full_name)
        context = call.context
        assert self._crew is not None  # it lent the worker
        # Halfway to the kill: an interruption that works has worked by then, and a start takes about what is left.
        doubt = partial(self._crew.doubt, worker, self._around.ladder.graces.kill / 2)
        run = WorkerRun(call, worker, next(self._numbers), doubt)
        head = {
            "id": context.id,
            "identity": context.identity,
            # Absolute: processes of one machine share the monotonic clock.
            "deadline": context.deadline,
            "chain": context.chain,
        }
        began = time.monotonic()
        with self._state:
            self._runs.add(run)
        worker.running = (exposed.full_name, context.id)
        climb = self._around.ladder.start(call, run)
        try:
            if not call.caller.watch(run.caller_left):
                run.caller_left()
            frame = worker.ask(run.number, json.dumps(head).encode(), call.payload)
            run.finish()
            return self._answer(exposed, run, frame)
        except WorkerLost as lost:
            run.finish()
            self._lost(exposed, run, lost.started or not may_retry)
            raise
        finally:
            climb.done()
            worker.running = None
            with self._state:
                self._runs.discard(run)
                self._completed += 1
                self._busy += time.monotonic() - began
                if self._closing:
                    self._state.notify_all()

    def _answer(self, exposed: Exposed, run: WorkerRun, frame: Frame) -> bytes:
        if run.killed:  # the answer came first, but the worker will not live to see another call
            assert self._crew is not None
            self._crew.lost(run.worker)
        status = None
        if frame.kind is Kind.STATUS:
            try:
                status = Status.FromString(frame.body)
            except DecodeError:
                run.worker.end(Doom.GARBAGE)
                self._lost(exposed, run, final=True)
        self._quarantine.passed(exposed.full_name)
        match frame.kind:
            case Kind.RESULT:
                return frame.body
            case Kind.EXPIRED:
                self._count(Outcome.EXPIRED)
                raise not_started(Outcome.EXPIRED, run.call, 0.0)
            case Kind.INTERRUPTED:
                raise stopped(run.call)
        assert status is not None  # the only kind that is left
        raise CallFailed(status)

    def _lost(self, exposed: Exposed, run: WorkerRun, final: bool) -> None:
        """Report a lost worker.

        Raises:
            CallFailed: if that is the end of its call.
        """
        assert self._crew is not None
        death = self._crew.lost(run.worker)
        if run.killed:
            self._quarantine.abandoned(exposed.full_name)
            raise stopped(run.call)
        if not final:
            self._quarantine.abandoned(exposed.full_name)
            return
        seconds = self._quarantine.crashed(exposed.full_name)
        if seconds is not None:
            log.error("function quarantined", executor=self.name, function=exposed.full_name, seconds=seconds)
        raise _crashed(death, run.call)

    def stream(self, exposed: Exposed, call: Call) -> Iterator[bytes]:
        """Streams are not served yet."""
        raise gate_failure("UNIMPLEMENTED", "StreamFunction is not served yet")

    def _refuse_to_wait_for_itself(self, call: Call) -> None:
        """A call from inside calls that hold every worker would wait for its own end."""
        chain = call.context.chain
        if not chain:
            return
        with self._state:
            holders = [run.call.context.id for run in self._runs if run.call.context.id in chain]
        if len(holders) >= self._settings.workers:
            raise gate_failure(
                "WOULD_DEADLOCK",
                f"the calls that this one was made from hold all {self._settings.workers} workers of the executor "
                f"{self.name!r}, and it would wait for them; put the inner function on another executor, or call it "
                "directly",
                {"holder": holders[0]},
            )

    # ---------------------------------------------------------------------------------------------------------- state

    def _count(self, outcome: Outcome) -> None:
        with self._state:
            if outcome is Outcome.EXPIRED:
                self._expired += 1
            elif outcome is Outcome.FULL:
                self._shed += 1

    def _retry_after(self) -> float:
        """Seconds until the queue as it stands has been worked off, by the mean of the calls so far."""
        mean = self._busy / self._completed if self._completed else 0.05
        # Bounds are arbitrary: no faster than a round trip or two, no longer than a person would wait.
        return min(5.0, max(0.02, mean * self._turn.waiting / self._settings.workers))

    def describe(self) -> str:
        """How many workers, of which Python."""
        count = self._settings.workers
        of = f" of Python {self._version} in {self._settings.python}" if self._version else ""
        return f"{count} worker process{'es' if count > 1 else ''}{of}"

    def stats(self) -> ExecutorStats:
        """Counts and state."""
        with self._state:
            return ExecutorStats(
                running=len(self._runs),
                waiting=self._turn.waiting,
                completed=self._completed,
                expired=self._expired,
                shed=self._shed,
                busy_seconds=self._busy,
                restarts=self._crew.restarts if self._crew is not None else 0,
            )


def _crashed(death: Death, call: Call) -> CallFailed:
    return gate_failure(
        "WORKER_CRASHED",
        f"the worker {death.how} while the function ran",
        {"call_id": call.context.id, **death.metadata},
    )
