"""What every executor is, and what it is handed.

    dispatcher ── call(exposed, call) ──▶ executor ──▶ guard or worker ──▶ Invoker.invoke ──▶ the function
               ◀── bytes, or CallFailed ──

A function's own failure and the executor's are never confused: both arrive as CallFailed, with the reason in the
status. Anything else that an executor raises is a fault of the server, which the dispatcher logs and hides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from callgate_server.call import Call
from callgate_server.invocation import Invoker
from callgate_server.ladder import Ladder
from callgate_server.registry import Exposed

__all__ = ["Executor", "ExecutorStats", "Surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the server lends its executors.

    Attributes:
        invoker: runs functions on decoded arguments.
        ladder: stops calls whose callers left.
        import_path: folders that workers and interpreters of their own import from: the settings' `path` and `venv`,
            and the folders of files named on the command line.
        report_wedge: told of a call that can be neither interrupted nor ended: the executor's name, the function, the
            call, and for how many seconds its caller has been gone. What it returns is called when the call ends after
            all.
        give_up: told that an executor cannot go on (its workers keep dying): the server goes NOT_SERVING and exits
            non-zero, for its orchestrator to act. The argument is one sentence for the log.
    """

    invoker: Invoker
    ladder: Ladder
    import_path: tuple[str, ...] = ()
    report_wedge: Callable[[str, Exposed, Call, float], Callable[[], None]] = lambda *wedge: lambda: None
    give_up: Callable[[str], None] = lambda sentence: None


@dataclass(frozen=True, slots=True)
class ExecutorStats:
    """Counts since the start, and the state now.

    Attributes:
        running: calls that run.
        waiting: calls that wait for their turn.
        completed: calls that ended, however they did.
        expired: calls whose deadline passed while they waited; they never ran.
        shed: calls refused because too many waited.
        busy_seconds: time spent running, over all calls.
        wedged: calls that could not be stopped and still run.
        restarts: workers replaced after a crash or a kill; 0 where there are none.
    """

    running: int = 0
    waiting: int = 0
    completed: int = 0
    expired: int = 0
    shed: int = 0
    busy_seconds: float = 0.0
    wedged: int = 0
    restarts: int = 0


class Executor(Protocol):
    """A strategy for running functions."""

    name: str
    kind: str

    @property
    def concurrency(self) -> int:
        """How many calls it runs at once: how many of a batch's are worth a thread."""
        ...

    def start(self, functions: Sequence[Exposed]) -> None:
        """Get ready to run these functions; what was begun is undone if it fails.

        Raises:
            SettingsError: if this Python or these functions cannot be served this way.
        """
        ...

    def runs_at_once(self) -> bool:
        """Whether a call that came now would run on the thread that brings it, without waiting for anything."""
        ...

    def call(self, exposed: Exposed, call: Call) -> bytes:
        """Run a call on the calling thread's time.

        Args:
            exposed: which function.
            call: the call.

        Returns:
            A serialized CallFunctionResponse.

        Raises:
            CallFailed: however the call failed.
        """
        ...

    def stream(self, exposed: Exposed, call: Call) -> Iterator[bytes]:
        """Run a stream; each item is a serialized StreamFunctionResponse.

        Raises:
            CallFailed: as `call`, also between items.
        """
        ...

    def describe(self) -> str:
        """One phrase about how it runs functions, for the start-up lines."""
        ...

    def stats(self) -> ExecutorStats:
        """Counts and state."""
        ...

    def reload(self, functions: Sequence[Exposed]) -> None:
        """Run calls from now on with these functions' new code; calls on their way end with the code they began with.

        Args:
            functions: the same functions as at the start, imported anew.

        Raises:
            CallFailed: never; what cannot be loaded raises its own error, and the old code stays in use.
        """
        ...

    def close(self, grace: float) -> None:
        """Let running calls finish for `grace` seconds, then interrupt them; waiting ones are turned away."""
        ...
