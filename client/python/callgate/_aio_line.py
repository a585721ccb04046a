"""An asyncio channel's server-streaming methods: opened, read, and what their failures mean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import grpc.aio

from callgate._connection import Connection
from callgate._wire import closed, closed_midway, error_of, method, no_time
from callgate.errors import CallgateError

__all__ = ["Line", "RpcFailed"]


class RpcFailed(Exception):  # noqa: N818 -- not an error that leaves this package
    """An RPC failed; `error` makes the exception to raise, a new one each time: every call of a batch gets its own."""

    def __init__(self, error: Callable[[], CallgateError]) -> None:
        super().__init__()
        self.error = error


class Line:
    """Opens and reads RPCs.

    Args:
        channel: the channel, of the running event loop.
        connection: what it was made from.

    Attributes:
        closed: whether the Gate was closed.
    """

    def __init__(self, channel: Any, connection: Connection) -> None:
        self._stream = channel.unary_stream(method("StreamFunction"))
        self._batch = channel.unary_stream(method("BatchCallFunctions"))
        self._connection = connection
        self._open_rpcs: set[Any] = set()
        self.closed = False

    def open_stream(self, data: bytes, seconds: float | None) -> Any:
        """Start a stream."""
        return self._open(self._stream, data, seconds, None)

    def open_batch(self, data: bytes, seconds: float | None, metadata: Any = None) -> Any:
        """Start a batch; `metadata` None for the current call's."""
        return self._open(self._batch, data, seconds, metadata)

    def _open(self, rpc: Any, data: bytes, seconds: float | None, metadata: Any) -> Any:
        if self.closed:
            raise closed()
        if seconds is not None and seconds <= 0:
            raise no_time()
        made = rpc(data, timeout=seconds, metadata=metadata or self._connection.metadata())
        self._open_rpcs.add(made)
        return made

    async def read(self, rpc: Any) -> bytes | None:
        """The next message; None at the end.

        Raises:
            RpcFailed: if the RPC failed, or the Gate was closed.
            asyncio.CancelledError: if the task was cancelled, or the RPC.
        """
        try:
            data = await rpc.read()
        except grpc.RpcError as error:
            self.drop(rpc)
            raise RpcFailed(partial(error_of, error, self._connection)) from None
        except asyncio.CancelledError:
            self.drop(rpc)
            task = asyncio.current_task()
            # grpc raises this for an RPC that `close` cancelled, too; then nobody asked this task to end.
            if not self.closed or (task is not None and task.cancelling()):
                raise
            raise RpcFailed(closed_midway) from None
        if data is grpc.aio.EOF:
            self.drop(rpc)
            return None
        return data  # type: ignore[no-any-return]  # grpc.aio's read is untyped

    def drop(self, rpc: Any) -> None:
        """Cancel an RPC, if it has not ended."""
        self._open_rpcs.discard(rpc)
        if not rpc.done():
            rpc.cancel()

    def close(self) -> None:
        """Cancel what is open, and open nothing more."""
        self.closed = True
        for rpc in tuple(self._open_rpcs):
            rpc.cancel()
