"""The synchronous client: a Gate is one connection, safe to share between threads.

call ──▶ encode ──▶ a place (at most `in_flight` at once) ──▶ gRPC ──▶ decode, or the error
         all on the calling thread; what the asyncio client does too is in _connection.py and _wire.py
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn

import grpc
import grpc.experimental

from callgate._connection import DEFAULT_IN_FLIGHT, DEFAULT_MAX_MESSAGE, Connection, Pem, Transport, greet
from callgate._direct import direct
from callgate._info import FunctionInfo, ParameterInfo, function_info
from callgate._many import Line, ManyCalls
from callgate._places import Places
from callgate._streams import Stream
from callgate._submitting import CallMaker, Submitter
from callgate._wire import (
    HEALTH_CHECK,
    RELOAD,
    REPEATABLE,
    call_request,
    closed,
    closed_midway,
    decode_response,
    error_of,
    health_request,
    health_status,
    method,
    no_copies,
    no_forks,
    no_place,
    no_time,
    response_of,
    seconds_of,
)
from callgate.context import calling
from callgate.errors import FunctionNotFound
from callgate.v1 import function_service_pb2 as pb
from callgate.v1.admin_service_pb2 import ReloadFunctionsResponse

__all__ = ["FunctionInfo", "Gate", "Module", "ParameterInfo", "Stream", "connect"]


def connect(
    target: str | None = None,
    *,
    timeout: float | None = None,
    wait: float | None = 5.0,
    tls: bool | None = None,
    ca: Pem | None = None,
    certificate: Pem | None = None,
    key: Pem | None = None,
    token: str | None = None,
    server_name: str | None = None,
    max_message: int = DEFAULT_MAX_MESSAGE,
    in_flight: int = DEFAULT_IN_FLIGHT,
    options: Sequence[tuple[str, Any]] = (),
    transport: Transport | None = None,
) -> Gate:
    """Connect to a Callgate server.

    Args:
        target: "HOST:PORT" or "unix:PATH"; None for $CALLGATE_SERVER, else 127.0.0.1:50051.
        timeout: seconds that a call may take unless it says otherwise; None for no limit.
        wait: seconds to wait for the connection now; None not to wait, and connect with the first call.
        tls: whether to use TLS; None for "if ca or certificate is given".
        ca: who signs the server's certificate, PEM file or bytes; None for the system's authorities.
        certificate: the client's own certificate, for mutual TLS; PEM file or bytes.
        key: its key; PEM file or bytes.
        token: a bearer token; None for $CALLGATE_TOKEN, "" for none.
        server_name: the name to expect in the server's certificate, where it is not the target's.
        max_message: the largest message to send or take, bytes; the server's `limits.message` holds beside it.
        in_flight: how many calls may be on their way at once; more wait in this client for their turn. Calls made from
            inside a served function do not wait: what they would wait for may be waiting for them.
        options: further gRPC channel options; for "grpcio".
        transport: what carries RPCs: "grpcio", gRPC's own library, or "native", which takes a third of its time a call
            and knows HOST:PORT and unix:PATH, with TLS or without, and no proxies and no load balancing. None for
            "grpcio".

    Returns:
        A Gate; use it in a `with` statement, or close it.

    Raises:
        Unavailable: if there is no server within `wait` seconds, or TLS does not work out, and why.
        Unauthenticated: if the server wants a token, or another one.
        ValueError: if the arguments contradict each other, or a file cannot be read.
        TypeError: if an argument is of the wrong type.
        ImportError: for "native", where it is not compiled.
    """
    return Gate(
        Connection.make(
            target,
            tls=tls,
            ca=ca,
            certificate=certificate,
            key=key,
            token=token,
            server_name=server_name,
            max_message=max_message,
            in_flight=in_flight,
            options=options,
            transport=transport,
        ),
        timeout=timeout,
        wait=wait,
    )


class Gate(ManyCalls):
    """A connection to a server; made by `connect`. All methods may be called from any thread."""

    def __init__(self, connection: Connection, *, timeout: float | None = None, wait: float | None = None) -> None:
        self._timeout = seconds_of(timeout, None)
        wait = seconds_of(wait, None)
        self._connection = connection
        self._closed = False
        self._process = os.getpid()
        self._places = Places(connection.in_flight)
        self._channel = _channel(connection)
        # Bytes in and out: values are converted here, in the calling thread, where errors belong to the call.
        # Registered methods save a look-up by name on every call; the stubs do not know them.
        unary: Any = self._channel.unary_unary
        self._call_function = direct(unary(method("CallFunction"), _registered_method=True))
        self._list_functions = unary(method("ListFunctions"), _registered_method=True)
        self._get_function = unary(method("GetFunction"), _registered_method=True)
        self._check_health = unary(HEALTH_CHECK, _registered_method=True)
        self._reload = unary(RELOAD, _registered_method=True)
        self._line = Line(self._channel, connection)
        self._calls = CallMaker(connection.max_message)
        self._submitter = Submitter(self._line.open_batch, self._line.failure, connection.max_message)
        if wait is not None:
            self._greet(wait)

    def _greet(self, seconds: float) -> None:
        plan = greet(self._connection, seconds)
        attempt = next(plan)
        try:
            while True:
                error: grpc.RpcError | None = None
                try:
                    self._check_health(
                        b"",
                        timeout=attempt.timeout,
                        wait_for_ready=attempt.patient,
                        metadata=self._connection.metadata(),
                    )
                except grpc.RpcError as failed:
                    error = failed
                attempt = plan.send(error)
        except StopIteration:
            pass
        except BaseException:
            self.close()
            raise

    def call(self, module: str, function: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Call a function.

        Args:
            module: its module, as exposed.
            function: its name.
            *args: positional arguments.
            timeout: seconds to wait; None for the connection's. For a keyword argument of the function's own that is
                named `timeout`, use `call_with`.
            **kwargs: keyword arguments.

        Returns:
            What it returns.

        Raises:
            RemoteError: if it raised; also an instance of the builtin exception it raised.
            GateError: if it could not be reached.
            ValueFormError: if an argument has no Value form.
            RuntimeError: if this Gate is closed, or was made before a fork.
        """
        return self.call_with(module, function, args, kwargs, timeout=timeout)

    def call_with(
        self,
        module: str,
        function: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Any:
        """As `call`, with the arguments as a sequence and a mapping."""
        seconds = self._timeout if timeout is None else seconds_of(timeout, None)
        # In a list, from which it is taken: a large request must not live as long as its call.
        box = [call_request(module, function, args, {} if kwargs is None else kwargs, self._connection.max_message)]
        if calling():  # from inside a served call: those that hold the places may wait for this one
            return decode_response(self._unary(self._call_function, box, seconds))
        places = self._places
        try:
            places.free.pop()
        except IndexError:
            seconds = self._wait_for_place(seconds)
        try:
            box.append(self._unary(self._call_function, box, seconds))
        finally:
            places.free.append(None)
            if places.waiting:
                places.wake()
        return decode_response(box.pop())

    def _wait_for_place(self, seconds: float | None) -> float | None:
        """Take a place once there is one; what is left of the timeout then."""
        self._check_usable()
        began = time.monotonic()
        if not self._places.wait(seconds):
            raise no_place(self._connection.in_flight)
        return None if seconds is None else max(0.0, began + seconds - time.monotonic())

    def module(self, name: str) -> Module:
        """A module whose attributes are its functions: `gate.module("math").sqrt(16.0)`."""
        return Module(self, name)

    def functions(self, module: str = "", *, timeout: float | None = None) -> list[FunctionInfo]:
        """The functions that this client may call.

        Args:
            module: only this module's; "" for all.
            timeout: seconds to wait for each page; None for the connection's.

        Returns:
            Functions by module and name.
        """
        return list(self._functions(module, seconds_of(timeout, self._timeout)))

    def _functions(self, module: str, seconds: float | None) -> Iterator[FunctionInfo]:
        token = ""
        while True:
            request = pb.ListFunctionsRequest(module=module, page_token=token)
            data = self._unary(self._list_functions, [request.SerializeToString()], seconds)
            response = response_of(pb.ListFunctionsResponse, data)
            yield from map(function_info, response.functions)
            token = response.next_page_token
            if not token:
                return

    def function(self, module: str, function: str, *, timeout: float | None = None) -> FunctionInfo:
        """Describe one function.

        Raises:
            FunctionNotFound: if there is none for this client.
        """
        request = pb.GetFunctionRequest(module=module, function=function)
        data = self._unary(self._get_function, [request.SerializeToString()], seconds_of(timeout, self._timeout))
        return function_info(response_of(pb.GetFunctionResponse, data).function)

    def health(self, service: str = "", *, timeout: float | None = None) -> str:
        """Ask the standard health service.

        Args:
            service: a service's name; "" for the server as a whole.
            timeout: seconds to wait; None for the connection's.

        Returns:
            "SERVING", "NOT_SERVING", "UNKNOWN" or "SERVICE_UNKNOWN".
        """
        seconds = seconds_of(timeout, self._timeout)
        try:
            return health_status(self._unary(self._check_health, [health_request(service)], seconds))
        except FunctionNotFound:  # what the health protocol answers for a service it does not know
            return "SERVICE_UNKNOWN"

    def reload(self, *, timeout: float | None = None) -> int:
        """Have the server load its modules anew; for those who may administer it (`auth.administrators`).

        Args:
            timeout: seconds to wait; None for the connection's.

        Returns:
            How many functions are exposed now.

        Raises:
            FailedPrecondition: if the new code cannot be served; the old stays in use.
            PermissionDenied: if this client may not.
        """
        seconds = seconds_of(timeout, self._timeout)
        return ReloadFunctionsResponse.FromString(self._unary(self._reload, [b""], seconds)).functions

    def _unary(self, rpc: Callable[..., bytes], request: list[bytes], seconds: float | None) -> bytes:
        """Make a unary call; the request is taken out of its list."""
        self._check_usable()
        if seconds == 0:
            raise no_time()
        try:
            return rpc(request.pop(), timeout=seconds, metadata=self._connection.metadata())
        except grpc.RpcError as error:
            midway = self._closed and error.code() is grpc.StatusCode.CANCELLED
            failure = closed_midway() if midway else error_of(error, self._connection)
        except ValueError:
            if not self._closed:  # closed between the check and the call
                raise
            raise closed() from None
        # KeyboardInterrupt passes through: gRPC cancels an RPC whose waiting a signal handler's exception ends (not one
        # that was sent and not yet waited for: a few instructions in which it has no owner).
        try:
            raise failure  # outside the except block: its __cause__ and __context__ are the remote ones
        finally:
            del failure  # its traceback has this frame

    def _check_usable(self) -> None:
        if self._process != os.getpid():
            raise no_forks(self._process)
        if self._closed:
            raise closed()

    def close(self) -> None:
        """Close the connection; calls in flight are cancelled and raise Cancelled. Closing again does nothing."""
        if self._process != os.getpid():
            return  # the connection is the parent's
        self._closed = True
        self._close_many()
        self._channel.close()

    def __enter__(self) -> Gate:
        self._check_usable()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise no_copies()

    def __repr__(self) -> str:
        return f"<Gate to {self._connection.target}{', closed' if self._closed else ''}>"


def _channel(connection: Connection) -> Any:
    if connection.transport == "native":
        from callgate.http2.channel import Channel

        return Channel(connection.target, connection.tls, connection.max_message, REPEATABLE)
    # A stream is read on the thread that reads it, not handed over by another: a third less of a core an item.
    options = ((grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1), *connection.options)
    credentials = connection.credentials
    if credentials is not None:
        return grpc.secure_channel(connection.target, credentials, options)
    return grpc.insecure_channel(connection.target, options)


class Module:
    """A remote module: attribute access gives a callable for the function of that name."""

    def __init__(self, gate: Gate, name: str) -> None:
        self._gate = gate
        self._name = name

    def __getattr__(self, function: str) -> Callable[..., Any]:
        if function.startswith("__") and function.endswith("__"):
            raise AttributeError(function)  # copy, pickle and inspect ask for these; no function is meant

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._gate.call_with(self._name, function, args, kwargs)

        call.__name__ = call.__qualname__ = function
        return call

    def __repr__(self) -> str:
        return f"<module {self._name} of {self._gate!r}>"
