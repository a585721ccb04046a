"""`aio.Gate.stream`: the items of a remote generator, one by one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

from callgate._aio_line import Line, RpcFailed
from callgate._wire import item_values
from callgate.errors import CallgateError
from callgate.v1.value_pb2 import Value
from callgate.values import decode

__all__ = ["Stream"]


class Stream(AsyncIterator[Any]):
    """The items of a stream: `async for item in stream`; closing it closes the generator on the server.

    Use it in an `async with` statement, or close it, where it may not be read to its end.
    """

    def __init__(self, line: Line, rpc: Any) -> None:
        self._line = line
        self._rpc = rpc
        self._loop = asyncio.get_running_loop()
        #: Items that came together with the last one.
        self._more: deque[Value] = deque()

    async def __anext__(self) -> Any:
        """The next item.

        Raises:
            RemoteError: if the function raised, after the items before that.
            GateError: if it could not be reached, or no longer.
        """
        if self._rpc is None:
            raise StopAsyncIteration
        try:
            if self._more:
                return decode(self._more.popleft())
            data = await self._line.read(self._rpc)
            if data is not None:
                value, more = item_values(data)
                self._more.extend(more)
                return decode(value)
        except RpcFailed as failed:
            failure: CallgateError | None = failed.error()
        except CallgateError:  # an item that cannot be decoded: what follows would be taken for it
            await self.close()
            raise
        except asyncio.CancelledError:
            if self._rpc is not None:  # else this very stream was closed meanwhile
                self._rpc = None
                raise
            failure = None
        else:
            failure = None
        self._rpc = None
        if failure is not None:
            try:
                raise failure  # outside the except block: its __cause__ and __context__ are the remote ones
            finally:
                del failure  # its traceback has this frame
        raise StopAsyncIteration

    async def close(self) -> None:
        """Cancel the stream, if it has not ended; iterating then ends. Closing again does nothing."""
        rpc, self._rpc = self._rpc, None
        if rpc is not None:
            self._line.drop(rpc)

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        rpc = getattr(self, "_rpc", None)
        if rpc is not None and not self._loop.is_closed():
            self._line.drop(rpc)
