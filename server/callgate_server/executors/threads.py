"""`threads`: several calls at once, for functions declared thread-safe (I/O, code that releases the GIL).

    pool thread ──▶ Turn with max_workers places (FIFO, bounded, deadline-aware) ──▶ Scope ──▶ Invoker

No thread is handed over to: the pool thread that brought the call runs it, so a worker costs nothing while it idles.
"""

from __future__ import annotations

from callgate_server.executors.base import Surroundings
from callgate_server.executors.in_process import InProcessExecutor

__all__ = ["ThreadsExecutor"]


class ThreadsExecutor(InProcessExecutor):
    """Several calls at a time.

    Args:
        name: its name in the settings.
        around: what the server lends.
        max_workers: how many calls may run at once.
        queue: how many more may wait.
    """

    kind = "threads"

    def __init__(self, name: str, around: Surroundings, *, max_workers: int, queue: int = 256) -> None:
        super().__init__(name, around, places=max_workers, queue=queue)

    def describe(self) -> str:
        """How many at once."""
        return f"up to {self._turn.places} calls at a time, for functions that are thread-safe"
