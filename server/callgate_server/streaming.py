"""A stream, one step at a time: the same in every executor that runs functions with protobuf at hand.

`Steps` is handed around like a generator, but every step is a call of its own, so that an executor can take its guard
for each. Closing it closes the function's generator, in the executor that ran it: that is where its `finally` belongs.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from callgate.context import CallContext
from callgate.failures import gate_failure
from callgate.v1.function_service_pb2 import CallFunctionRequest
from callgate_server.interrupt import CallInterrupted
from callgate_server.invocation import Invoker
from callgate_server.pieces import pieces_of

__all__ = ["AsyncSteps", "Steps"]

# The standard library's: this also runs in workers, which have no structlog; what they log there is printed, and the
# front logs what they print.
log = logging.getLogger("callgate.stream")


class Steps:
    """One stream of a plain function: a generator, a function that returns an iterator, or one that returns something
    large that is sent in pieces.

    Args:
        invoker: decodes, runs and encodes.
        function: what to run.
        request: the request, parsed.
        context: the call, for ids in failures.
    """

    def __init__(
        self, invoker: Invoker, function: Callable[..., Any], request: CallFunctionRequest, context: CallContext
    ) -> None:
        self._invoker = invoker
        self._function = function
        self._request = request
        self._context = context
        self._items: Iterator[Any] | None = None
        self._ended = False

    def next(self) -> bytes | None:
        """Make the next item; the first step also calls the function.

        Returns:
            A serialized StreamFunctionResponse; None after the last item.

        Raises:
            CallFailed: if the function raises, is no stream, or an item has no Value form.
            CallInterrupted: if the step was interrupted.
        """
        try:
            if self._items is None:
                result = self._invoker.run(self._function, self._request, self._context)
                self._items = _iterator(result)
            items = self._items
            try:
                item = next(items, _END)
            except CallInterrupted:
                raise
            except BaseException as error:
                raise self._invoker.raised(error, self._context) from None
            if item is _END:
                self._ended = True
                return None
            # StreamFunctionResponse has CallFunctionResponse's one field: the same bytes.
            return self._invoker.encode_result(item, self._context)
        except CallInterrupted:
            raise  # closed in a step of its own: this one may not run on
        except BaseException:
            self.close()
            raise

    @property
    def open(self) -> bool:
        """Whether there is a generator to close."""
        return self._items is not None and not self._ended

    def close(self) -> None:
        """Close the function's generator, if it has begun and not ended."""
        if not self.open:
            return
        self._ended = True
        close = getattr(self._items, "close", None)
        if close is None:
            return
        try:
            close()
        except CallInterrupted:
            raise
        except BaseException as error:  # what its finally blocks raise: nobody waits for it
            log.warning("closing the stream of call %s raised %s", self._context.id, type(error).__name__)


class AsyncSteps:
    """As Steps, for an async generator, or an async function that returns an iterator of either kind.

    Args:
        invoker: decodes, runs and encodes.
        function: what to run.
        request: the request, parsed.
        context: the call, for ids in failures.
        interrupted: whether a CancelledError is our doing.
    """

    def __init__(
        self,
        invoker: Invoker,
        function: Callable[..., Any],
        request: CallFunctionRequest,
        context: CallContext,
        interrupted: Callable[[], bool],
    ) -> None:
        self._invoker = invoker
        self._function = function
        self._request = request
        self._context = context
        self._interrupted = interrupted
        self._items: AsyncIterator[Any] | Iterator[Any] | None = None

    async def next(self) -> bytes | None:
        """As `Steps.next`."""
        if self._items is None:
            result = self._invoker.run(self._function, self._request, self._context)
            if hasattr(result, "__await__"):
                with self._invoker.raising(self._context, self._interrupted):
                    result = await result
            self._items = result if hasattr(result, "__anext__") else _iterator(result)
        items: Any = self._items
        with self._invoker.raising(self._context, self._interrupted):
            item = await anext(items, _END) if hasattr(items, "__anext__") else next(items, _END)
        if item is _END:
            return None
        return self._invoker.encode_result(item, self._context)

    async def close(self) -> None:
        """As `Steps.close`."""
        items: Any = self._items
        try:
            if hasattr(items, "aclose"):
                await items.aclose()
            elif hasattr(items, "close"):
                items.close()
        except BaseException as error:
            log.warning("closing the stream of call %s raised %s", self._context.id, type(error).__name__)


_END = object()


def _iterator(result: Any) -> Iterator[Any]:
    """What a function returned, as a stream: an iterator as it is, something large in pieces.

    Raises:
        CallFailed: WRONG_METHOD for all else: a list is a value, not a stream.
    """
    if hasattr(type(result), "__next__"):
        return result  # type: ignore[no-any-return]  # an iterator of the user's own
    pieces = pieces_of(result)
    if pieces is None:
        raise gate_failure(
            "WRONG_METHOD",
            f"the function returned a {type(result).__name__}, which is no stream: call it with CallFunction "
            "(streams are generators, iterators, and bytes, arrays and tables, which come in pieces)",
        )
    return pieces
