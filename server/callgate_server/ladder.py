"""The deadline ladder: what happens to a running call whose caller no longer waits.

    rung        when                        what
    answer      deadline or cancellation    the caller is answered; current_call().cancelled turns true
    interrupt   + grace                     the executor interrupts the code (an async exception, a task's cancel)
    kill        + kill_grace                the executor ends what runs it, if it can (a worker process)
    wedge       if it cannot be killed      counted, its stack logged; readiness goes down after a while

One thread climbs for all calls. It sleeps until the next rung is due and is woken only by a call whose next rung comes
sooner than that, so a call costs a heap push, and nothing where it has neither deadline nor caller to lose.

Invariant: a Climb's steps run on the ladder's thread only, one after the other. `done` only marks: a step may race with
the end of the call, hence each is safe against a finished one (the transport drops a second answer, a Scope refuses to
interrupt what has closed, a kill names the worker's generation).
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from callgate.context import CallContext
from callgate.failures import gate_status
from callgate.v1.function_service_pb2 import CallFunctionRequest
from callgate_server.call import Call, NobodyWaits

__all__ = ["Climb", "Graces", "Ladder", "Rungs"]


@dataclass(frozen=True, slots=True)
class Graces:
    """Seconds between rungs.

    Attributes:
        interrupt: from the answer to the interruption; long enough for a function that looks at `cancelled` in a loop.
        kill: from the interruption to the kill; long enough for `finally` blocks.
    """

    interrupt: float = 0.1
    kill: float = 0.5


class Rungs(Protocol):
    """What an executor can do to one running call."""

    def interrupt(self) -> bool:
        """Interrupt it; False if it has finished or cannot be."""
        ...

    def kill(self) -> bool:
        """End what runs it; False if it cannot be ended."""
        ...

    def wedged(self, seconds: float) -> None:
        """It neither stopped nor could be ended, `seconds` after its caller left."""
        ...


class Climb:
    """One running call on the ladder."""

    __slots__ = ("_ladder", "call", "cause", "finished", "left_at", "next_at", "rung", "rungs")

    def __init__(self, ladder: Ladder, call: Call, rungs: Rungs) -> None:
        self._ladder = ladder
        self.call = call
        self.rungs: Rungs = rungs
        self.finished = False
        self.rung = 0
        self.cause = ""  # "deadline" or "cancel", once the caller has left
        self.left_at = 0.0
        self.next_at = 0.0  # when the next rung is due

    def done(self) -> None:
        """The call has ended; no further rung is worth taking.

        It lets go of the call: its arguments must not live on until a deadline that is far away. The ladder's thread
        may be looking at it right now; what it then does, it does to nobody.
        """
        self.finished = True
        self.call = _NOBODY
        self.rungs = _NOTHING

    def caller_left(self) -> None:
        """The caller cancelled or disconnected; also called by transports after every normal answer."""
        if not self.finished and not self.cause:
            self.call.context.flag.raised = True
            self._ladder.schedule(time.monotonic(), self)


class _Nothing:
    """The rungs of a call that has ended."""

    def interrupt(self) -> bool:
        """There is nothing."""
        return False

    def kill(self) -> bool:
        """There is nothing."""
        return False

    def wedged(self, seconds: float) -> None:
        """There is nothing."""


_NOTHING = _Nothing()
_NOBODY = Call(CallFunctionRequest(), b"", CallContext(""), NobodyWaits())


class Ladder:
    """The thread that climbs, started with the first call that may need it.

    Args:
        graces: the times between rungs.
    """

    def __init__(self, graces: Graces | None = None) -> None:
        self.graces = graces or Graces()
        #: How often each rung was taken, by name; for metrics.
        self.taken: Counter[str] = Counter()
        self._changed = threading.Condition(threading.Lock())
        self._heap: list[tuple[float, int, Climb]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._live_at_sweep = 512

    def start(self, call: Call, rungs: Rungs) -> Climb:
        """Put a running call on the ladder.

        Args:
            call: the call.
            rungs: what can be done to it.

        Returns:
            Its Climb; the executor calls `done` when the call has ended, however it did.
        """
        climb = Climb(self, call, rungs)
        deadline = call.context.deadline
        if deadline is not None:
            self.schedule(deadline, climb)
        if not call.caller.watch(climb.caller_left):
            climb.caller_left()
        return climb

    def schedule(self, when: float, climb: Climb) -> None:
        """Look at a climb at `when` (`time.monotonic()` seconds)."""
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._heap, (when, next(self._order), climb))
            if len(self._heap) > 1024 and len(self._heap) > 2 * self._live_at_sweep:
                self._sweep()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="callgate-ladder", daemon=True)
                self._thread.start()
            elif self._heap[0][2] is climb:
                self._changed.notify()

    def _sweep(self) -> None:
        """Drop finished climbs whose time is far: without this a long deadline would keep every call it was given."""
        self._heap = [entry for entry in self._heap if not entry[2].finished]
        heapq.heapify(self._heap)
        self._live_at_sweep = max(512, len(self._heap))

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed:
                    while self._heap and self._heap[0][2].finished:
                        heapq.heappop(self._heap)
                    if not self._heap:
                        self._changed.wait()
                        continue
                    wait = self._heap[0][0] - time.monotonic()
                    if wait <= 0:
                        break
                    self._changed.wait(min(wait, threading.TIMEOUT_MAX))
                if self._closed:
                    return
                climb = heapq.heappop(self._heap)[2]
            self._climb(climb)

    def _climb(self, climb: Climb) -> None:
        if climb.finished:
            return
        now = time.monotonic()
        if climb.rung == 0:
            deadline = climb.call.context.deadline
            climb.cause = "deadline" if deadline is not None and now >= deadline else "cancel"
            climb.left_at = now
            climb.rung = 1
            climb.call.context.flag.raised = True
            self.taken["answer"] += 1
            if climb.cause == "deadline":
                climb.call.caller.answer(
                    gate_status(
                        "RAN_TOO_LONG",
                        "the deadline passed while the function ran",
                        {"call_id": climb.call.context.id},
                    )
                )
            self._next(climb, now + self.graces.interrupt)
        elif now < climb.next_at:
            return  # a second reason to leave (a deadline after a cancellation): the next rung has its own time
        elif climb.rung == 1:
            climb.rung = 2
            if climb.rungs.interrupt():
                self.taken["interrupt"] += 1
            self._next(climb, now + self.graces.kill)
        elif climb.rung == 2:
            climb.rung = 3
            if climb.rungs.kill():
                self.taken["kill"] += 1
                return
            self.taken["wedge"] += 1
            climb.rungs.wedged(now - climb.left_at)

    def _next(self, climb: Climb, when: float) -> None:
        climb.next_at = when
        self.schedule(when, climb)

    def close(self) -> None:
        """Stop climbing."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)
