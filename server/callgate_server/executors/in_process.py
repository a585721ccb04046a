"""What executors that run functions in this process share: taking turns, the scope of interruption, the counts.

    pool thread ──▶ Turn (FIFO, bounded, deadline-aware) ──▶ around the call (a guard) ──▶ Scope ──▶ Invoker

A stream goes the same way for each of its steps (`in_process_stream.py`).
`serial` is this with one place and a guard; `threads` with several and none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from callgate.context import _current
from callgate_server.burst import Burst
from callgate_server.call import Call
from callgate_server.executors.base import ExecutorStats, Surroundings
from callgate_server.executors.in_process_stream import InProcessStream
from callgate_server.executors.run import Run, not_started, stopped
from callgate_server.interrupt import CallInterrupted, Scope
from callgate_server.registry import Exposed
from callgate_server.stretch import Stretch
from callgate_server.turn import Outcome, Turn, Waiter

__all__ = ["InProcessExecutor"]

T = TypeVar("T")
Watch = Callable[[Callable[[], None]], bool]


class InProcessExecutor:
    """Runs calls on the threads that bring them, as many at once as there are places.

    Args:
        name: its name in the settings.
        around: what the server lends.
        places: how many calls may run at once.
        queue: how many more may wait.
    """

    kind = ""
    #: Whether it takes stretches of calls.
    stretches = True

    def __init__(self, name: str, around: Surroundings, *, places: int, queue: int) -> None:
        self.name = name
        self._around = around
        self._turn = Turn(capacity=queue + places, places=places)
        # The lock guards what follows; the condition on it is notified when a run ends while closing. The lock itself
        # is taken on the call's path: entering a Condition is Python code, and costs more.
        self._lock = self._turn.lock
        self._state = threading.Condition(self._lock)
        self._runs: set[Run] = set()
        self._closing = False
        self._completed = self._expired = self._shed = 0
        self._busy = 0.0

    @property
    def concurrency(self) -> int:
        """As many as there are places."""
        return self._turn.places

    def start(self, functions: Sequence[Exposed]) -> None:
        """Nothing to start."""

    def describe(self) -> str:
        """One phrase for the start-up lines."""
        return f"{self._turn.places} calls at a time"

    def reload(self, functions: Sequence[Exposed]) -> None:
        """Nothing to do: each call brings its function."""

    def runs_at_once(self) -> bool:
        """Whether there is a free place."""
        return self._turn.free

    def call(self, exposed: Exposed, call: Call) -> bytes:
        """Run a call when its turn comes."""
        run = self._run_with_turn(exposed, call)
        # The request is read now, with the turn: that is when a gathered call's members are settled.
        return self._with_turn(
            run, run, True, self._around.invoker.invoke, exposed.function, call.request, call.context
        )

    def call_each(self, exposed: Exposed, call: Call, stretch: Stretch) -> None:
        """Run a stretch of calls in one turn, on the calling thread's time.

        Args:
            exposed: their function.
            call: who they are for; its context becomes each call's own in turn.
            stretch: the calls.

        Raises:
            CallFailed: if the turn did not come, or the call that ran was interrupted.
        """
        run = self._run_with_turn(exposed, call)
        try:
            self._with_turn(run, run, True, stretch.run, run, exposed.function, self._around.invoker)
        finally:
            with self._lock:
                self._completed += len(stretch.ends) - 1  # the turn's end counted one

    def call_burst(self, burst: Burst) -> bool:
        """Run a burst of calls, on this thread, if its turn comes at once.

        Returns:
            Whether it did; else none of the calls has begun.
        """
        exposed, call = burst.first
        run = Run(self.name, exposed, call, self._around)
        if not self.runs_at_once() or not self._turn.take_free(run):
            return False
        began = self._begin(run)
        try:
            with self._guard():
                burst.run(run, self._around.invoker, self._around.ladder, self._takes_more)
        finally:
            self._end(run, run, began)
            with self._lock:
                self._completed += burst.outcomes.total() - 1  # the turn's end counted one
        return True

    def _takes_more(self) -> bool:
        return not self._closing

    def _run_with_turn(self, exposed: Exposed, call: Call) -> Run:
        """A call's run, whose turn has come.

        Raises:
            CallFailed: if it does not come.
        """
        run = Run(self.name, exposed, call, self._around)
        deadline = call.context.deadline
        # Free, as it mostly is: then there is nobody to wait for, oneself included.
        if (deadline is not None and time.monotonic() >= deadline) or not self._turn.take_free(run):
            self._wait_for(run, call, call.caller.watch)
        return run

    def _wait_for(self, waiter: Waiter, call: Call, watch: Watch) -> None:
        """Wait for a turn.

        Raises:
            CallFailed: if it does not come.
        """
        self._before_waiting(call)
        outcome = self._turn.take(waiter, call.context.deadline, watch)
        if outcome is not Outcome.TAKEN:
            self._count(outcome)
            raise not_started(outcome, call, self._retry_after())

    def stream(self, exposed: Exposed, call: Call) -> Iterator[bytes]:
        """Run a stream, taking a turn for each step: others' calls run between two items."""
        return InProcessStream(self, self._around, exposed, call).items()

    def _before_waiting(self, call: Call) -> None:
        """Refuse a call that must not wait here."""

    def _guard(self) -> AbstractContextManager[None]:
        """What is held around a call, inside its turn."""
        return nullcontext()

    def _with_turn(self, run: Run, waiter: Waiter, climbs: bool, work: Callable[..., T], *args: Any) -> T:
        """Run work whose turn has come."""
        return self._run(run, waiter, climbs, work, *args)

    def _run(self, run: Run, waiter: Waiter, climbs: bool, work: Callable[..., T], *args: Any) -> T:
        """Run work on this thread, inside the guard, open to interruption.

        Args:
            run: what it is for.
            waiter: what has the turn.
            climbs: whether to put the run on the ladder for this; a stream is on it from its begin to its end.
            work: what to do.
            *args: with what.
        """
        call = run.call
        began = self._begin(run)
        # The call's context is entered outside the scope: an interruption cannot keep it from being left. Inline, as
        # callgate.context.entered does it: this is every call's way.
        token = _current.set(call.context)
        try:
            with self._guard():
                if not climbs:
                    return run.scope.run(work, *args)
                climb = self._around.ladder.start(call, run)
                try:
                    return run.scope.run(work, *args)
                finally:
                    climb.done()
        except CallInterrupted:
            raise stopped(call) from None
        finally:
            _current.reset(token)
            self._end(run, waiter, began)

    def step(self, run: Run, work: Callable[[], T], watch: Watch, *, closing: bool = False) -> T:
        """Take a turn for one step of a stream.

        Args:
            run: the stream's; its scope is made anew for each step.
            work: the step.
            watch: as `Caller.watch`, for while it waits.
            closing: whether it closes the stream: that waits for its turn whatever the deadline, the queue and the
                executor's own end say, since a generator's `finally` has to run.

        Returns:
            What the step returns.

        Raises:
            CallFailed: if it never had its turn, or failed.
        """
        call = run.call
        waiter = Waiter(call.context.id)
        if closing:
            self._turn.take_regardless(waiter)
        else:
            self._wait_for(waiter, call, watch)
        run.scope = Scope()
        return self._with_turn(run, waiter, False, work)

    def runs(self, run: Run) -> bool:
        """Whether a run is running: a stream's is not between two steps."""
        return run in self._runs

    def _begin(self, run: Run) -> float:
        """Account for a run that has its turn; `_end` must follow, whatever happens."""
        self._runs.add(run)  # atomic, like discard below; who reads the set copies it first
        return time.monotonic()

    def _end(self, run: Run, waiter: Waiter, began: float) -> None:
        """Account for its end, and pass the turn on."""
        self._runs.discard(run)
        with self._lock:
            self._completed += 1
            self._busy += time.monotonic() - began
            if self._closing:
                self._state.notify_all()
            self._turn.pass_on(waiter)
        run.ended = True
        if run.unwedged is not None:
            run.unwedged()

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
        return min(5.0, max(0.02, mean * self._turn.waiting))

    def stats(self) -> ExecutorStats:
        """Counts and state."""
        with self._lock:
            wedged = sum(run.unwedged is not None for run in tuple(self._runs))
            return ExecutorStats(
                running=len(self._runs),
                waiting=self._turn.waiting,
                completed=self._completed,
                expired=self._expired,
                shed=self._shed,
                busy_seconds=self._busy,
                wedged=wedged,
            )

    def close(self, grace: float) -> None:
        """Turn away who waits, let runs finish for `grace` seconds, then interrupt them, once."""
        self._turn.close()
        if not self._drained(grace):
            with self._lock:
                left = tuple(self._runs)
            for run in left:
                run.call.context.flag.raised = True
                self._interrupt(run)
            self._drained(self._around.ladder.graces.kill)

    def _interrupt(self, run: Run) -> None:
        run.interrupt()

    def _drained(self, seconds: float) -> bool:
        with self._state:
            self._closing = True
            return self._state.wait_for(lambda: not self._runs, timeout=seconds)
