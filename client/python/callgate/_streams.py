"""`Gate.stream`: the items of a remote generator, one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import grpc

from callgate._wire import item_values
from callgate.errors import CallgateError
from callgate.v1.value_pb2 import Value
from callgate.values import decode

__all__ = ["Stream"]


class Stream(Iterator[Any]):
    """The items of a stream, an iterator; closing it closes the generator on the server.

    Use it in a `with` statement, or close it, where it may not be read to its end: an iterator that nothing refers to
    any more closes itself, but a traceback may refer to it for long.
    """

    def __init__(self, rpc: Any, failure: Callable[[grpc.RpcError], CallgateError]) -> None:
        self._rpc = rpc
        self._failure = failure
        #: Items that came together with the last one.
        self._more: deque[Value] = deque()

    def __next__(self) -> Any:
        """The next item.

        Raises:
            RemoteError: if the function raised, after the items before that.
            GateError: if it could not be reached, or no longer.
        """
        rpc = self._rpc
        if rpc is None:
            raise StopIteration
        try:
            if self._more:
                return decode(self._more.popleft())
            value, more = item_values(next(rpc))
            self._more.extend(more)
            return decode(value)
        except StopIteration:
            self._rpc = None
            raise
        except grpc.RpcError as error:
            if self._rpc is None:  # closed by another thread, or by a signal's handler
                raise StopIteration from None
            self._rpc = None
            failure = self._failure(error)
        except CallgateError:  # an item that cannot be decoded: what follows would be taken for it
            self.close()
            raise
        try:
            raise failure  # outside the except block: its __cause__ and __context__ are the remote ones
        finally:
            del failure  # its traceback has this frame

    def close(self) -> None:
        """Cancel the stream, if it has not ended; iterating then ends. Closing again does nothing."""
        rpc, self._rpc = self._rpc, None
        if rpc is not None:
            rpc.cancel()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # While the interpreter ends, gRPC may be gone already; the connection's end then ends the stream.
        if getattr(self, "_rpc", None) is not None and grpc is not None:
            self.close()
