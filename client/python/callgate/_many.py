"""What a Gate does beyond one call and its answer: `stream`, `map`, `submit`. The Gate itself is in client.py."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import grpc

from callgate._chunks import MapOptions
from callgate._connection import Connection
from callgate._mapping import Items, Results, map_calls
from callgate._streams import Stream
from callgate._submitting import CallMaker, Metadata, Submitter
from callgate._wire import (
    TOGETHER,
    call_request,
    closed,
    closed_midway,
    error_of,
    method,
    no_forks,
    no_time,
    seconds_of,
)
from callgate.context import calling
from callgate.errors import CallgateError

__all__ = ["Line", "ManyCalls"]


class Line:
    """A channel's server-streaming methods: opened, and what their failures mean.

    It does not know its Gate: what runs in the background must not keep one alive that nobody uses any more.

    Args:
        channel: the channel.
        connection: what it was made from.

    Attributes:
        closed: whether the Gate was closed.
    """

    def __init__(self, channel: grpc.Channel, connection: Connection) -> None:
        stream: Any = channel.unary_stream  # the stubs do not know registered methods, see client.py
        self._stream = stream(method("StreamFunction"), _registered_method=True)
        self._batch = stream(method("BatchCallFunctions"), _registered_method=True)
        self._connection = connection
        self._process = os.getpid()
        self.closed = False

    def open_stream(self, data: bytes, seconds: float | None) -> Any:
        """Start a stream."""
        return self._open(self._stream, data, seconds, None)

    def open_batch(self, data: bytes, seconds: float | None, metadata: Metadata = None) -> Any:
        """Start a batch; `metadata` None for the current call's."""
        return self._open(self._batch, data, seconds, metadata)

    def check_usable(self) -> None:
        """Raise RuntimeError if the Gate is closed, or was made before a fork."""
        if self._process != os.getpid():
            raise no_forks(self._process)
        if self.closed:
            raise closed()

    def _open(self, rpc: Any, data: bytes, seconds: float | None, metadata: Metadata) -> Any:
        self.check_usable()
        if seconds is not None and seconds <= 0:
            raise no_time()
        try:
            return rpc(data, timeout=seconds, metadata=metadata or self._connection.metadata())
        except ValueError:
            if not self.closed:  # closed between the check and the call
                raise
            raise closed() from None

    def failure(self, error: grpc.RpcError) -> CallgateError:
        """The exception for a failed RPC."""
        if self.closed and error.code() is grpc.StatusCode.CANCELLED:
            return closed_midway()
        return error_of(error, self._connection)


class ManyCalls:
    """The methods; a Gate has them, and makes `_line`, `_calls` and `_submitter`."""

    _connection: Connection
    _timeout: float | None
    _line: Line
    _calls: CallMaker
    _submitter: Submitter

    def stream(self, module: str, function: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Stream:
        """Call a generator, or what else gives items one by one, and iterate over them as they are made.

        The server makes only a few items more than are read. An array, a table or bytes that a function returns whole
        come in pieces.

        Args:
            module: its module, as exposed.
            function: its name.
            *args: positional arguments.
            timeout: seconds until the last item; None for the connection's. For a keyword argument of the function's
                own that is named `timeout`, use `stream_with`.
            **kwargs: keyword arguments.

        Returns:
            An iterator; close it, or use it in a `with` statement, where it may not be read to its end. Iterating
            raises what `call` raises, after the items before it; FailedPrecondition if the function is no stream.

        Raises:
            ValueFormError: if an argument has no Value form.
            RuntimeError: if this Gate is closed, or was made before a fork.
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
        return Stream(self._line.open_stream(data, seconds), self._line.failure)

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
        """Call a function once for each item of an iterable, many calls to a message.

        Nothing is read or sent before the first result is asked for. Then at most 3 batches are on their way, and the
        iterable, which may be endless, is read no further than for those.

        Args:
            module: its module, as exposed.
            function: its name.
            iterable: what to call it with, one argument a call. Where it raises, its exception comes after the results
                of the items before.
            chunk: calls in one batch; None to begin with few, go up to 1,024, and not wait for more while the iterable
                is slow. A batch also ends where its bytes are enough, or the server takes no more.
            ordered: whether results come in the items' order; else as calls finish.
            return_exceptions: whether a call's exception is given in its result's place; else it is raised there, and
                ends the iteration. A lost connection is the exception of each call that was on its way.
            timeout: seconds for the whole, from now; None for no limit. DeadlineExceeded is raised when it has passed.
            call_timeout: seconds for each call from when it starts to run; None for the connection's `timeout`.
            unpack: whether an item is a sequence of arguments, as for `itertools.starmap`.

        Returns:
            A generator of results. Closing it cancels the calls that are on their way.

        Raises:
            TypeError: if an argument is of the wrong type, or `iterable` is none.
            ValueError: if one is out of range.
            RuntimeError: if this Gate is closed, or was made before a fork.
        """
        self._line.check_usable()
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
        return map_calls(self._line.open_batch, self._line.failure, iter(iterable), options)

    def submit(
        self, module: str, function: str, /, *args: Any, timeout: float | None = None, **kwargs: Any
    ) -> Future[Any]:
        """Call a function, and get its result later: calls that are submitted close together share a message.

        A call goes at once where no batch of this Gate's submitted calls is on its way. Else it goes when one is done,
        or after 5 ms in a further one. So 16 slow batches, no fewer, hold up calls submitted later; `map`, `call` and
        `stream` go by themselves. Calls are sent at most once, whatever happens.

        Args:
            module: its module, as exposed.
            function: its name.
            *args: positional arguments; encoded now, so changing them later has no effect.
            timeout: seconds from now, the wait for a batch included; None for the connection's. A call may be cut off
                2 % earlier, where it shares a batch with one whose time is up. For a keyword argument of the
                function's own that is named `timeout`, use `submit_with`.
            **kwargs: keyword arguments.

        Returns:
            A future, resolved when the call's own answer comes; its exceptions are those of `call`, and Cancelled if
            the Gate is closed first. It can be cancelled until it is sent, and then never starts. Its callbacks
            run on a thread that other calls wait for: they should be short.

        Raises:
            ValueFormError: if an argument has no Value form.
            Exhausted: if the call is larger than a message may be.
            RuntimeError: if this Gate is closed, or was made before a fork.
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
        deadline = None if seconds is None else time.monotonic() + seconds
        made = self._calls.make(module, function, args, kwargs)
        self._line.check_usable()
        return self._submitter.submit(made, deadline, self._connection.metadata() if calling() else None)

    def _close_many(self) -> None:
        """Before the channel is closed: fail what was submitted and waits."""
        self._line.closed = True
        self._submitter.close()
