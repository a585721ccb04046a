"""Calls and streams on their way through a crew of workers: turns, quarantine, the ladder, and what became of them.

    call      turn ▶ borrow ▶ CALL ▶ RESULT │ STATUS │ INTERRUPTED │ EXPIRED ▶ give back ▶ turn passed on
    stream    turn ▶ borrow ▶ CALL ▶ ITEM ▶ NEXT ▶ ITEM ▶ … ▶ END │ STATUS │ … ▶ give back ▶ turn passed on
                                    └ CLOSE ▶ END, where the consumer wants no more

A stream holds its worker from its first item to its last: its generator lives there. The consumer pulls, one NEXT an
item, so that nothing runs ahead of what anybody takes.

While calls wait, a worker is not given back. The thread that has its answer sends it the request of the call whose turn
is next, and only then wakes the thread that waits with that call, to wait for the answer: between an answer and the
next request a worker idles (docs/adr/0021-hand-over.md).

    thread 1   RESULT of call 1 ▶ CALL of call 2 ▶ wakes thread 2 ▶ the answer to call 1's client
    thread 2   waits for its turn ─────────────────▶ ladder ▶ RESULT of call 2 ▶ …

Invariant: a worker is one Place's, and a Place is changed by one thread: its call's own, but for the time from when the
turn is its until it is woken, when it is the thread's that passed the turn on. So no thread but one writes or reads a
worker's socket.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import structlog
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from callgate.failures import CallFailed, gate_failure
from callgate_server.call import Call
from callgate_server.executors.base import ExecutorStats, Surroundings
from callgate_server.executors.crew import Crew
from callgate_server.executors.frames import Frame, Kind
from callgate_server.executors.run import not_started, stopped
from callgate_server.executors.supervision import Quarantine
from callgate_server.executors.worker_place import Place, can_be_helped
from callgate_server.executors.worker_process import Doom, WorkerLost
from callgate_server.executors.worker_run import WorkerRun
from callgate_server.registry import Exposed
from callgate_server.turn import Outcome, Turn

__all__ = ["ProcessCalls"]

log = structlog.get_logger("callgate.workers")

#: How many workers may die on a call's request before they have read it. Mostly they were dead already, so it is worth
#: trying another; but a request that kills whoever reads it (the out-of-memory killer) must not go through them all.
_ATTEMPTS = 3

_ANSWERS = frozenset({Kind.RESULT, Kind.STATUS, Kind.INTERRUPTED, Kind.EXPIRED})
_STEPS = frozenset({Kind.ITEM, Kind.END, Kind.STATUS, Kind.INTERRUPTED, Kind.EXPIRED})


class ProcessCalls:
    """Takes calls to workers.

    Args:
        name: the executor's name.
        around: what the server lends.
        crew: the workers.
        turn: whose places the crew resizes.
    """

    def __init__(self, name: str, around: Surroundings, crew: Crew, turn: Turn) -> None:
        self._name = name
        self._around = around
        self._crew = crew
        self._turn = turn
        self._quarantine = Quarantine()
        self._numbers = itertools.count(1)
        # The lock guards what follows; the condition on it is notified when a run ends while closing.
        self._lock = threading.Lock()
        self._state = threading.Condition(self._lock)
        self._runs: set[WorkerRun] = set()
        self._closing = self._closed = False
        self._completed = self._expired = self._shed = 0
        self._busy = 0.0

    def call(self, exposed: Exposed, call: Call) -> bytes:
        """Have a worker run a call when its turn comes; as Executor.call."""
        head = _head(call, stream=False)
        for attempt in itertools.count(1):
            with self._place(exposed, call, head) as place:
                try:
                    with self._running(place, attempt < _ATTEMPTS) as run:
                        place.send()
                        frame = run.worker.answer(Kind.CALL, run.number, _ANSWERS)
                        run.finish()
                        return self._body(place, run, frame)
                except WorkerLost:
                    pass  # it died before it had read the request: another one can have it
        raise AssertionError("count() does not end")

    def stream(self, exposed: Exposed, call: Call) -> Iterator[bytes]:
        """Hold a worker for a stream; as Executor.stream."""
        head = _head(call, stream=True)
        for attempt in itertools.count(1):
            with self._place(exposed, call, head) as place:
                try:
                    with self._running(place, attempt < _ATTEMPTS) as run:
                        place.send()
                        frame = run.worker.answer(Kind.CALL, run.number, _STEPS)
                        while frame.kind is Kind.ITEM:
                            try:
                                yield frame.body
                            except GeneratorExit:
                                self._close_stream(exposed, run)
                                raise
                            if call.context.cancelled:
                                self._close_stream(exposed, run)
                                raise stopped(call)
                            frame = run.worker.ask(Kind.NEXT, run.number, _STEPS)
                        run.finish()
                        self._body(place, run, frame)
                        return
                except WorkerLost:
                    pass  # before it had read the request, hence before the first item
        raise AssertionError("count() does not end")

    def _close_stream(self, exposed: Exposed, run: WorkerRun) -> None:
        """Have the worker close a stream whose consumer wants no more; what comes of it concerns nobody."""
        try:
            run.worker.ask(Kind.CLOSE, run.number, _STEPS)
        except WorkerLost:
            try:
                self._lost(exposed, run, final=True)
            except CallFailed:
                pass  # it has been logged, and counted

    @contextmanager
    def _place(self, exposed: Exposed, call: Call, head: bytes) -> Iterator[Place]:
        """A turn, and a worker for it.

        Raises:
            CallFailed: if the turn does not come.
        """
        self._quarantine.refuse(exposed.full_name)
        if call.context.chain:
            self._refuse_to_wait_for_itself(call)
        while True:
            place = Place(exposed, call, head)
            outcome = self._turn.take(place, call.context.deadline, call.caller.watch)
            if outcome is not Outcome.TAKEN:
                self._count(outcome)
                raise not_started(outcome, call, self._retry_after())
            try:
                if place.worker is None:
                    place.worker = self._crew.borrow()
                    if place.worker is None:
                        continue  # it has died this very moment; the turn of its replacement will come
                try:
                    yield place
                    return
                finally:
                    if place.worker is not None:
                        self._crew.give_back(place.worker)
            finally:
                self._turn.release(place)  # nothing if it was passed on

    def _begin(self, place: Place, after: WorkerRun | None = None) -> None:
        """Begin a run, in the place of another one if there was one.

        Raises:
            CallFailed: if it may not run.
        """
        worker, function = place.worker, place.exposed.full_name
        assert worker is not None  # what has no worker does not begin
        self._quarantine.admit(function)
        # Halfway to the kill: an interruption that works has worked by then, and a start takes about what is left.
        doubt = partial(self._crew.doubt, worker, self._around.ladder.graces.kill / 2)
        run = WorkerRun(place.call, worker, next(self._numbers), doubt)
        with self._lock:
            if self._closed:
                raise not_started(Outcome.CLOSED, place.call, 0.0)
            self._runs.add(run)
            if after is not None:
                self._runs.discard(after)
        worker.running = (function, place.call.context.id)
        place.run = run

    def _pass_on(self, place: Place) -> None:
        """If a call waits, start it on the worker of one that has ended, instead of giving that back."""
        worker, run = place.worker, place.run
        assert worker is not None  # it has just answered
        assert run is not None
        if run.killed or self._closing or not self._quarantine.empty or not self._crew.keeps(worker):
            return
        successor = self._turn.succeed(place, can_be_helped)
        if successor is None:
            return
        assert isinstance(successor, Place)
        place.worker = None
        successor.worker = worker
        try:
            self._begin(successor, run)
            successor.send()
        except (CallFailed, WorkerLost):
            pass  # its own thread meets the same, and says so
        finally:
            successor.wake()

    @contextmanager
    def _running(self, place: Place, may_retry: bool) -> Iterator[WorkerRun]:
        """Around a call in a worker: on the ladder, accounted for, its loss explained.

        Raises:
            CallFailed: if it may not run, or its worker was lost.
            WorkerLost: if it may be tried again, since it has provably not started.
        """
        exposed, call = place.exposed, place.call
        if place.run is None:
            self._begin(place)
        run = place.run
        assert run is not None  # it has begun
        climb = self._around.ladder.start(call, run)
        try:
            if not call.caller.watch(run.caller_left):
                run.caller_left()
            yield run
        except WorkerLost as lost:
            run.finish()
            self._lost(exposed, run, lost.started or not may_retry)
            raise
        finally:
            run.finish()
            climb.done()
            self._quarantine.abandoned(exposed.full_name)  # if it was a trial, and nothing has come of it
            if run.killed:  # an answer came first, but the worker will not live to see another call
                self._crew.lost(run.worker)
            if place.worker is not None:
                place.worker.running = None
            with self._lock:
                self._runs.discard(run)
                self._completed += 1
                self._busy += time.monotonic() - run.began
                if self._closing:
                    self._state.notify_all()

    def _body(self, place: Place, run: WorkerRun, frame: Frame) -> bytes:
        """What a worker's last frame on a call means; its worker has its next call then, if one waits.

        Raises:
            CallFailed: if it is a failure.
            WorkerLost: if it is none that could be sent on.
        """
        status = None
        if frame.kind is Kind.STATUS:
            try:
                status = Status.FromString(frame.body)
            except DecodeError:
                run.worker.end(Doom.GARBAGE)
                raise WorkerLost(started=True) from None
        self._quarantine.passed(place.exposed.full_name)
        self._pass_on(place)
        match frame.kind:
            case Kind.RESULT | Kind.END:
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
        death = self._crew.lost(run.worker)
        if run.killed:
            raise stopped(run.call)
        if not final:
            return
        seconds = self._quarantine.crashed(exposed.full_name)
        if seconds is not None:
            log.error("function quarantined", executor=self._name, function=exposed.full_name, seconds=seconds)
        raise gate_failure(
            "WORKER_CRASHED",
            f"the worker {death.how} while the function ran",
            {"call_id": run.call.context.id, **death.metadata},
        )

    def _refuse_to_wait_for_itself(self, call: Call) -> None:
        """A call from inside calls that hold every worker would wait for its own end."""
        with self._lock:
            holders = [run.call.context.id for run in self._runs if run.call.context.id in call.context.chain]
        if len(holders) >= self._crew.size:
            raise gate_failure(
                "WOULD_DEADLOCK",
                f"the calls that this one was made from hold all {self._crew.size} workers of the executor "
                f"{self._name!r}, and it would wait for them; put the inner function on another executor, or call it "
                "directly",
                {"holder": holders[0]},
            )

    # ---------------------------------------------------------------------------------------------------------- state

    def end(self, grace: float) -> None:
        """Let runs finish for `grace` seconds, then interrupt them, then kill their workers; nothing runs afterwards.

        A stream whose consumer does nothing is a run that does not end; its worker does.
        """
        kill = self._around.ladder.graces.kill
        if not self._drained(grace):
            for run in self._left():
                run.call.context.flag.raised = True
                run.interrupt()
            if not self._drained(kill):
                for run in self._left():
                    run.kill()
                self._drained(kill)
        with self._lock:
            self._closed = True
            late = tuple(self._runs)
        for run in late:
            run.kill()

    def _left(self) -> tuple[WorkerRun, ...]:
        with self._lock:
            return tuple(self._runs)

    def _drained(self, seconds: float) -> bool:
        with self._state:
            self._closing = True
            return self._state.wait_for(lambda: not self._runs, timeout=seconds)

    def _count(self, outcome: Outcome) -> None:
        with self._lock:
            if outcome is Outcome.EXPIRED:
                self._expired += 1
            elif outcome is Outcome.FULL:
                self._shed += 1

    def _retry_after(self) -> float:
        """Seconds until the queue as it stands has been worked off, by the mean of the calls so far."""
        mean = self._busy / self._completed if self._completed else 0.05
        # Bounds are arbitrary: no faster than a round trip or two, no longer than a person would wait.
        return min(5.0, max(0.02, mean * self._turn.waiting / self._crew.size))

    def stats(self) -> ExecutorStats:
        """Counts and state."""
        with self._lock:
            return ExecutorStats(
                running=len(self._runs),
                waiting=self._turn.waiting,
                completed=self._completed,
                expired=self._expired,
                shed=self._shed,
                busy_seconds=self._busy,
                restarts=self._crew.restarts,
            )


def _head(call: Call, *, stream: bool) -> bytes:
    context = call.context
    return json.dumps(
        {
            "id": context.id,
            "identity": context.identity,
            # Absolute: processes of one machine share the monotonic clock.
            "deadline": context.deadline,
            "chain": context.chain,
            "stream": stream,
        }
    ).encode()
