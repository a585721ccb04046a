"""What an aio.Gate does beyond one call and its answer: `stream`, `map`, `submit`; as _many.py, awaited."""

from __future__ import annotations

from asyncio import Future
from collections.abc import AsyncIterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from callgate._aio_line import Line
from callgate._aio_mapping import Items, Results, map_calls
from callgate._aio_streams import Stream
from callgate._aio_submitting import Submitter
from callgate._chunks import MapOptions
from callgate._connection import Connection
from callgate._submitting import CallMaker
from callgate._wire import TOGETHER, call_request, seconds_of
from callgate.context import calling

__all__ = ["ManyCalls"]


class ManyCalls:
    """The methods; a Gate has them."""

    _connection: Connection
    _timeout: float | None
    _line: Line | None = None
    _calls: CallMaker
    _submitter: Submitter | None = None

    if TYPE_CHECKING:

        def _start(self) -> None: ...  # the Gate's own

    def _start_many(self, channel: Any) -> None:
        """Once the channel is there."""
        self._line = Line(channel, self._connection)
        self._submitter = Submitter(self._line, self._connection.max_message)

    def _started_line(self) -> Line:
        self._start()
        assert self._line is not None
        return self._line

    def stream(self, module: str, function: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Stream:
        """Call a generator, or what else gives items one by one: `async for item in gate.stream(…)`.

        Args:
            module: as all of these, see `callgate.Gate.stream`.
            function: its name.
            *args: positional arguments.
            timeout: seconds until the last item; None for the connection's.
            **kwargs: keyword arguments.

        Returns:
            An asynchronous iterator; close it, or use it in an `async with` statement, where it may not be read to its
            end. Iterating raises what `call` raises, after the items before it; FailedPrecondition if the function is
            no stream.

        Raises:
            ValueFormError: if an argument has no Value form.
            RuntimeError: if this Gate is closed, belongs to another event loop, or was made before a fork.
        """
        return self.stream_with(module, function, args, kwargs, timeout=timeout)

    def stream_with(
        self,
        module: str,
        function: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Stream:
        """As `stream`, with the arguments as a sequence and a mapping."""
        seconds = seconds_of(timeout, self._timeout)
        limit = self._connection.max_message
        kwargs = {} if kwargs is None else kwargs
        data = call_request(module, function, args, kwargs, limit, takes_more=limit >= TOGETHER)
        line = self._started_line()
        return Stream(line, line.open_stream(data, seconds))

    def map(
        self,
        module: str,
        function: str,
        iterable: Items,
        /,
        *,
        chunk: int | None = None,
        ordered: bool = True,
        return_exceptions: bool = False,
        timeout: float | None = None,
        call_timeout: float | None = None,
        unpack: bool = False,
    ) -> Results:
        """Call a function once for each item of an iterable, asynchronous or not: `async for result in gate.map(…)`.

        Args:
            module: as all of these, see `callgate.Gate.map`.
            function: its name.
            iterable: what to call it with; it may be endless.
            chunk: calls in one batch; None to let it adapt.
            ordered: whether results come in the items' order; else as calls finish.
            return_exceptions: whether a call's exception is given in its result's place, or raised there.
            timeout: seconds for the whole, from now; None for no limit.
            call_timeout: seconds for each call from when it starts to run; None for the connection's `timeout`.
            unpack: whether an item is a sequence of arguments.

        Returns:
            An asynchronous generator of results. Closing it (`aclose`) cancels the calls that are on their way.

        Raises:
            TypeError: if an argument is of the wrong type, or `iterable` is none.
            ValueError: if one is out of range.
            RuntimeError: if this Gate is closed, belongs to another event loop, or was made before a fork.
        """
        line = self._started_line()
        options = MapOptions(
            module,
            function,
            chunk=chunk,
            ordered=ordered,
            return_exceptions=return_exceptions,
            timeout=timeout,
            call_timeout=call_timeout,
            default_call_timeout=self._timeout,
            unpack=unpack,
            max_message=self._connection.max_message,
        )
        items = aiter(iterable) if isinstance(iterable, AsyncIterable) else iter(iterable)
        return map_calls(line, items, options)

    def submit(
        self, module: str, function: str, /, *args: Any, timeout: float | None = None, **kwargs: Any
    ) -> Future[Any]:
        """Call a function, and get its result later: calls that are submitted close together share a message.

        What is submitted in one turn of the event loop goes together, while fewer than 2 batches are on their way;
        else as `callgate.Gate.submit` says.

        Args:
            module: as all of these, see `callgate.Gate.submit`.
            function: its name.
            *args: positional arguments; encoded now.
            timeout: seconds from now, the wait for a batch included; None for the connection's.
            **kwargs: keyword arguments.

        Returns:
            A future, to be awaited. Cancelled before it is sent, its call never starts; once all calls of a batch are
            cancelled, so is the batch, on the server too.

        Raises:
            ValueFormError: if an argument has no Value form.
            Exhausted: if the call is larger than a message may be.
            RuntimeError: if this Gate is closed, belongs to another event loop, or was made before a fork.
        """
        return self.submit_with(module, function, args, kwargs, timeout=timeout)

    def submit_with(
        self,
        module: str,
        function: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Future[Any]:
        """As `submit`, with the arguments as a sequence and a mapping."""
        seconds = seconds_of(timeout, self._timeout)
        made = self._calls.make(module, function, args, kwargs)
        self._start()
        assert self._submitter is not None
        return self._submitter.submit(made, seconds, self._connection.metadata() if calling() else None)

    async def _close_many(self) -> None:
        """Before the channel is closed: fail what was submitted and waits, cancel what is on its way."""
        if self._line is not None and self._submitter is not None:
            self._submitter.close()
            self._line.close()
            await self._submitter.ended()
