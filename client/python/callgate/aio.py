"""The asyncio client: `callgate.aio.connect`, with the same names as the synchronous one, awaited.

    async with callgate.aio.connect("localhost:50051") as gate:
        await gate.call("math", "sqrt", 16.0)      # 4.0

Requests, answers, deadlines and errors are made where the synchronous client makes them: _connection.py and _wire.py.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn

import grpc
import grpc.aio

from callgate._aio_many import ManyCalls
from callgate._aio_streams import Stream
from callgate._connection import DEFAULT_IN_FLIGHT, DEFAULT_MAX_MESSAGE, Connection, Pem, Transport, greet
from callgate._info import FunctionInfo, ParameterInfo, function_info
from callgate._submitting import CallMaker
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
    """Connect to a Callgate server: `async with connect(…) as gate:`, or `gate = await connect(…)`.

    Args:
        target: as all of these, see `callgate.connect`.
        timeout: seconds that a call may take unless it says otherwise; None for no limit.
        wait: seconds to wait for the connection; None not to wait, and connect with the first call.
        tls: whether to use TLS; None for "if ca or certificate is given".
        ca: who signs the server's certificate.
        certificate: the client's own certificate, for mutual TLS.
        key: its key.
        token: a bearer token; None for $CALLGATE_TOKEN.
        server_name: the name to expect in the server's certificate.
        max_message: the largest message to send or take, bytes.
        in_flight: how many calls may be on their way at once; more wait in this client for their turn.
        options: further gRPC channel options; for "grpcio".
        transport: what carries RPCs: "grpcio" or "native".

    Returns:
        A Gate that is not connected yet: entering or awaiting it does that.

    Raises:
        ValueError: if the arguments contradict each other, or a file cannot be read.
        TypeError: if an argument is of the wrong type.
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
    """A connection to a server; made by `connect`. It belongs to the event loop that first entered or used it."""

    def __init__(self, connection: Connection, *, timeout: float | None = None, wait: float | None = None) -> None:
        self._timeout = seconds_of(timeout, None)
        self._wait = seconds_of(wait, None)
        self._connection = connection
        self._calls = CallMaker(connection.max_message)
        self._closed = False
        self._process = os.getpid()
        self._places = asyncio.BoundedSemaphore(connection.in_flight)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channel: Any = None
        self._rpcs: dict[str, Any] = {}

    def _start(self) -> None:
        """Make the channel, which belongs to the running event loop, or check that this is still that loop."""
        if self._process != os.getpid():
            raise no_forks(self._process)
        if self._closed:
            raise closed()
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._loop is not None:
            raise RuntimeError("this Gate belongs to another event loop; connect in the loop that uses it")
        self._channel = _channel(self._connection)
        self._loop = loop
        self._start_many(self._channel)
        names = ("CallFunction", "ListFunctions", "GetFunction")
        self._rpcs = {path: self._channel.unary_unary(path) for path in (*map(method, names), HEALTH_CHECK, RELOAD)}

    async def _connect(self) -> Gate:
        self._start()
        if self._wait is None:
            return self
        plan = greet(self._connection, self._wait)
        attempt = next(plan)
        try:
            while True:
                error: grpc.RpcError | None = None
                try:
                    await self._rpcs[HEALTH_CHECK](
                        b"",
                        timeout=attempt.timeout,
                        wait_for_ready=attempt.patient,
                        metadata=self._connection.metadata(),
                    )
                except grpc.RpcError as failed:
                    error = failed
                attempt = plan.send(error)
        except StopIteration:
            return self
        except BaseException:
            await self.close()
            raise

    async def call(self, module: str, function: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Call a function; cancelling the task cancels the call, on the server too.

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
            RuntimeError: if this Gate is closed, belongs to another event loop, or was made before a fork.
            asyncio.CancelledError: if this task was cancelled.
        """
        return await self.call_with(module, function, args, kwargs, timeout=timeout)

    async def call_with(
        self,
        module: str,
        function: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Any:
        """As `call`, with the arguments as a sequence and a mapping."""
        seconds = seconds_of(timeout, self._timeout)
        data = call_request(module, function, args, {} if kwargs is None else kwargs, self._connection.max_message)
        self._start()
        path = method("CallFunction")
        if calling():  # from inside a served call: those that hold the places may wait for this one
            return decode_response(await self._unary(path, data, seconds))
        seconds = await self._take_place(seconds)
        try:
            answer = await self._unary(path, data, seconds)
        finally:
            self._places.release()
        return decode_response(answer)

    async def _take_place(self, seconds: float | None) -> float | None:
        """Take a place once there is one; what is left of the timeout then."""
        if seconds is None or not self._places.locked():
            await self._places.acquire()
            return seconds
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        except TimeoutError:
            raise no_place(self._connection.in_flight) from None
        return max(0.0, deadline - loop.time())

    def module(self, name: str) -> Module:
        """A module whose attributes are its functions: `await gate.module("math").sqrt(16.0)`."""
        return Module(self, name)

    async def functions(self, module: str = "", *, timeout: float | None = None) -> list[FunctionInfo]:
        """The functions that this client may call.

        Args:
            module: only this module's; "" for all.
            timeout: seconds to wait for each page; None for the connection's.

        Returns:
            Functions by module and name.
        """
        seconds = seconds_of(timeout, self._timeout)
        found: list[FunctionInfo] = []
        token = ""
        while True:
            request = pb.ListFunctionsRequest(module=module, page_token=token)
            data = await self._unary(method("ListFunctions"), request.SerializeToString(), seconds)
            response = response_of(pb.ListFunctionsResponse, data)
            found += map(function_info, response.functions)
            token = response.next_page_token
            if not token:
                return found

    async def function(self, module: str, function: str, *, timeout: float | None = None) -> FunctionInfo:
        """Describe one function.

        Raises:
            FunctionNotFound: if there is none for this client.
        """
        request = pb.GetFunctionRequest(module=module, function=function)
        seconds = seconds_of(timeout, self._timeout)
        data = await self._unary(method("GetFunction"), request.SerializeToString(), seconds)
        return function_info(response_of(pb.GetFunctionResponse, data).function)

    async def health(self, service: str = "", *, timeout: float | None = None) -> str:
        """Ask the standard health service.

        Args:
            service: a service's name; "" for the server as a whole.
            timeout: seconds to wait; None for the connection's.

        Returns:
            "SERVING", "NOT_SERVING", "UNKNOWN" or "SERVICE_UNKNOWN".
        """
        seconds = seconds_of(timeout, self._timeout)
        try:
            return health_status(await self._unary(HEALTH_CHECK, health_request(service), seconds))
        except FunctionNotFound:  # what the health protocol answers for a service it does not know
            return "SERVICE_UNKNOWN"

    async def reload(self, *, timeout: float | None = None) -> int:
        """As `callgate.Gate.reload`."""
        seconds = seconds_of(timeout, self._timeout)
        return ReloadFunctionsResponse.FromString(await self._unary(RELOAD, b"", seconds)).functions

    async def _unary(self, path: str, data: bytes, seconds: float | None) -> bytes:
        self._start()
        if seconds == 0:
            raise no_time()
        rpc = self._rpcs[path](data, timeout=seconds, metadata=self._connection.metadata())
        try:
            answer: bytes = await rpc
            return answer
        except grpc.RpcError as error:
            failure = error_of(error, self._connection)
        except asyncio.CancelledError:
            rpc.cancel()
            task = asyncio.current_task()
            # grpc raises this for an RPC that `close` cancelled, too; then nobody asked this task to end.
            if not self._closed or (task is not None and task.cancelling()):
                raise
            failure = closed_midway()
        try:
            raise failure  # outside the except block: its __cause__ and __context__ are the remote ones
        finally:
            del failure  # its traceback has this frame

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled and raise Cancelled. Closing again does nothing."""
        if self._process != os.getpid():
            return  # the connection is the parent's
        self._closed = True
        if self._channel is None:
            return
        await self._close_many()
        await self._channel.close()

    def __await__(self) -> Generator[Any, None, Gate]:
        return self._connect().__await__()

    async def __aenter__(self) -> Gate:
        return await self._connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __reduce__(self) -> NoReturn:
        raise no_copies()

    def __repr__(self) -> str:
        return f"<aio.Gate to {self._connection.target}{', closed' if self._closed else ''}>"


def _channel(connection: Connection) -> Any:
    if connection.transport == "native":
        from callgate.http2.aio_channel import AioChannel

        return AioChannel(connection.target, connection.tls, connection.max_message, REPEATABLE)
    credentials = connection.credentials
    if credentials is not None:
        return grpc.aio.secure_channel(connection.target, credentials, connection.options)
    return grpc.aio.insecure_channel(connection.target, connection.options)


class Module:
    """A remote module: attribute access gives a coroutine function for the function of that name."""

    def __init__(self, gate: Gate, name: str) -> None:
        self._gate = gate
        self._name = name

    def __getattr__(self, function: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        if function.startswith("__") and function.endswith("__"):
            raise AttributeError(function)  # copy, pickle and inspect ask for these; no function is meant

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._gate.call_with(self._name, function, args, kwargs)

        call.__name__ = call.__qualname__ = function
        return call

    def __repr__(self) -> str:
        return f"<module {self._name} of {self._gate!r}>"
