"""`serial`, the default: one call at a time, behind the two-layer guard of an embedding host.

    pool thread ──▶ Turn: the mutex, FIFO, bounded, deadline-aware
                      └▶ GIL state ensured
                           └▶ decode, bind, run, encode
                         GIL state released
                    turn passed on

The turn is held over the encoding too: a returned live object must not be read while another call changes it.
`thread` says which thread runs functions: the pool thread that brought the call, one dedicated thread, or the process's
main thread, for libraries that must stay on one. The guard and its order are the same in all three.

Not re-entrant: a function that calls its own executor would wait for itself. Such a call is known by its thread, or by
the chain of call ids that the client inside the function sends along, and fails at once.
"""

from __future__ import annotations

import queue as queues
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeVar

from callgate.failures import gate_failure
from callgate_server.call import Call
from callgate_server.executors.base import Surroundings
from callgate_server.executors.in_process import InProcessExecutor
from callgate_server.executors.run import Run
from callgate_server.gil import GilState
from callgate_server.registry import Exposed
from callgate_server.turn import Waiter

__all__ = ["JobThread", "SerialExecutor", "ThreadChoice"]

T = TypeVar("T")
ThreadChoice = Literal["pool", "dedicated", "main"]


class JobThread:
    """A thread that runs one job after the other: a dedicated one, or the main thread inside `run`."""

    def __init__(self) -> None:
        self._jobs: queues.SimpleQueue[Callable[[], None] | None] = queues.SimpleQueue()

    def run(self) -> None:
        """Run jobs on this thread until `stop`."""
        while (job := self._jobs.get()) is not None:
            job()

    def submit(self, job: Callable[[], None]) -> None:
        """Have a job run; it must not raise."""
        self._jobs.put(job)

    def stop(self) -> None:
        """Let `run` return when the jobs before this are done. Safe in a signal handler (SimpleQueue is re-entrant)."""
        self._jobs.put(None)


class SerialExecutor(InProcessExecutor):
    """One call at a time.

    Args:
        name: its name in the settings.
        around: what the server lends.
        queue: how many calls may wait.
        thread: which thread runs functions.
        main: the main thread's loop, for `thread="main"`.

    Raises:
        ValueError: for `thread="main"` without a loop.
    """

    kind = "serial"

    def __init__(
        self,
        name: str,
        around: Surroundings,
        *,
        queue: int = 256,
        thread: ThreadChoice = "pool",
        main: JobThread | None = None,
    ) -> None:
        super().__init__(name, around, places=1, queue=queue)
        if thread == "main" and main is None:
            raise ValueError('thread = "main" needs the main thread\'s loop, which `callgate serve` runs')
        self._gil = GilState()
        self._thread_choice = thread
        self._jobs = main if thread == "main" else JobThread() if thread == "dedicated" else None
        if self._jobs is None:
            self._with_turn = self._run  # type: ignore[method-assign]  # a call less on every call's way

    def start(self, functions: Sequence[Exposed]) -> None:
        """Start the dedicated thread, if one is wanted."""
        if self._thread_choice == "dedicated" and self._jobs is not None:
            # A daemon: code stuck in C must not keep the process from exiting.
            threading.Thread(target=self._jobs.run, name=f"callgate-{self.name}", daemon=True).start()

    def runs_at_once(self) -> bool:
        """Whether nobody has the turn, and it runs on the thread that brings the call."""
        return self._jobs is None and self._turn.free

    def describe(self) -> str:
        """How calls are guarded, and where they run."""
        where = {"pool": "", "dedicated": ", on one thread of its own", "main": ", on the main thread"}
        return f"one call at a time ({self._gil.describe()}{where[self._thread_choice]})"

    def _before_waiting(self, call: Call) -> None:
        holder = self._turn.held_by(threading.get_ident(), call.context.chain)
        if holder is not None:
            raise gate_failure(
                "WOULD_DEADLOCK",
                f"call {holder} holds the executor {self.name!r} and made this call, which would wait for it; "
                "put the inner function on another executor, or call it directly",
                {"holder": holder},
            )

    def _guard(self) -> AbstractContextManager[None]:
        return self._gil  # entered and left under the turn: one call at a time

    def _with_turn(self, run: Run, waiter: Waiter, climbs: bool, work: Callable[..., T], *args: Any) -> T:
        jobs = self._jobs
        assert jobs is not None  # else `_run` stands in this method's place
        # The turn is this call's until `_run`, on the other thread, passes it on; this thread only carries the answer.
        outcome: list[T] = []
        failure: list[BaseException] = []
        done = threading.Lock()
        done.acquire()

        def job() -> None:
            waiter.thread = threading.get_ident()
            try:
                # The call's own context, so that one call's context variables are not the next one's.
                outcome.append(run.variables.run(self._run, run, waiter, climbs, work, *args))
            except BaseException as error:
                failure.append(error)
            finally:
                done.release()

        jobs.submit(job)
        done.acquire()
        if failure:
            raise failure.pop()
        return outcome.pop()

    def close(self, grace: float) -> None:
        """As every executor; then end the dedicated thread."""
        super().close(grace)
        if self._thread_choice == "dedicated" and self._jobs is not None:
            self._jobs.stop()
