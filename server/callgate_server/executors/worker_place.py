"""A call's place among those that want a worker: its turn, and what somebody needs who begins it there."""

from __future__ import annotations

from callgate_server.call import Call
from callgate_server.executors.frames import Kind
from callgate_server.executors.worker_process import WorkerProcess
from callgate_server.executors.worker_run import WorkerRun
from callgate_server.registry import Exposed
from callgate_server.turn import Waiter

__all__ = ["HELPED_BYTES", "Place", "can_be_helped"]

#: Bytes of a request that another call's thread sends: its own answer waits meanwhile. A worker's socket has room for
#: more than this, so that it never waits for the worker.
HELPED_BYTES = 64 << 10


class Place(Waiter):
    """A call's place among those that want a worker, and what it needs there.

    Args:
        exposed: the function.
        call: the call.
        head: the head of its CALL frame.

    Attributes:
        worker: its worker, while it has one.
        run: its run, once that has begun.
        sent: whether its CALL frame has been sent.
    """

    __slots__ = ("call", "exposed", "head", "run", "sent", "worker")

    def __init__(self, exposed: Exposed, call: Call, head: bytes) -> None:
        super().__init__(call.context.id)
        self.exposed = exposed
        self.call = call
        self.head = head
        self.worker: WorkerProcess | None = None
        self.run: WorkerRun | None = None
        self.sent = False

    def send(self) -> None:
        """Send the CALL frame, unless it has been sent.

        Raises:
            WorkerLost: as `WorkerProcess.ask`.
        """
        if not self.sent:
            assert self.run is not None  # it has begun
            self.run.worker.post(Kind.CALL, self.run.number, self.head, self.call.payload)
            self.sent = True


def can_be_helped(waiter: Waiter) -> bool:
    """Whether another call's thread can send its request: it is settled, and short."""
    size = waiter.call.size if isinstance(waiter, Place) else None
    return size is not None and size <= HELPED_BYTES
