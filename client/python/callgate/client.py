"""The synchronous client: a Gate is one connection, safe to share between threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import grpc

from callgate._info import FunctionInfo, ParameterInfo, function_info
from callgate._wire import (
    DEFAULT_MAX_MESSAGE,
    Connection,
    call_request,
    decode_response,
    error_of,
    health_request,
    health_status,
    method,
)
from callgate.errors import FunctionNotFound, Unavailable
from callgate.v1 import function_service_pb2 as pb

__all__ = ["FunctionInfo", "Gate", "Module", "ParameterInfo", "connect"]


def connect(
    target: str | None = None,
    *,
    timeout: float | None = None,
    wait: float | None = 5.0,
    tls: bool | None = None,
    ca: str | os.PathLike[str] | bytes | None = None,
    certificate: str | os.PathLike[str] | bytes | None = None,
    key: str | os.PathLike[str] | bytes | None = None,
    token: str | None = None,
    server_name: str | None = None,
    max_message: int = DEFAULT_MAX_MESSAGE,
    options: Sequence[tuple[str, Any]] = (),
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
        max_message: the largest message to send or take, bytes; as the server's `limits.message`.
        options: further gRPC channel options.

    Returns:
        A Gate; use it in a `with` statement, or close it.

    Raises:
        Unavailable: if there is no server within `wait` seconds.
        ValueError: if the arguments contradict each other, or a file cannot be read.
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
            options=options,
        ),
        timeout=timeout,
        wait=wait,
    )


class Gate:
    """A connection to a server; made by `connect`. All methods may be called from any thread."""

    def __init__(self, connection: Connection, *, timeout: float | None = None, wait: float | None = None) -> None:
        self._connection = connection
        self._timeout = timeout
        if connection.credentials is not None:
            self._channel = grpc.secure_channel(connection.target, connection.credentials, connection.options)
        else:
            self._channel = grpc.insecure_channel(connection.target, connection.options)
        # Bytes in and out: values are converted here, in the calling thread, where errors belong to the call.
        unary = self._channel.unary_unary
        self._call_function = unary(method("CallFunction"), _registered_method=True)
        self._list_functions = unary(method("ListFunctions"), _registered_method=True)
        self._get_function = unary(method("GetFunction"), _registered_method=True)
        if wait is not None:
            self._wait(wait)

    def _wait(self, seconds: float) -> None:
        try:
            grpc.channel_ready_future(self._channel).result(timeout=seconds)
        except grpc.FutureTimeoutError:
            self.close()
            raise Unavailable(
                f"no server answers at {self._connection.target} within {seconds:g} s: is it running there "
                f"(`callgate serve`), and does it speak {'TLS' if self._connection.credentials else 'plain text'}?",
                code="UNAVAILABLE",
            ) from None

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
        data = call_request(module, function, args, kwargs or {}, self._connection.max_message)
        return decode_response(self._unary(self._call_function, data, timeout))

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
        return list(self._functions(module, timeout))

    def _functions(self, module: str, timeout: float | None) -> Iterator[FunctionInfo]:
        token = ""
        while True:
            request = pb.ListFunctionsRequest(module=module, page_token=token)
            data = self._unary(self._list_functions, request.SerializeToString(), timeout)
            response = pb.ListFunctionsResponse.FromString(data)
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
        data = self._unary(self._get_function, request.SerializeToString(), timeout)
        return function_info(pb.GetFunctionResponse.FromString(data).function)

    def health(self, service: str = "", *, timeout: float | None = None) -> str:
        """Ask the standard health service.

        Args:
            service: a service's name; "" for the server as a whole.
            timeout: seconds to wait; None for the connection's.

        Returns:
            "SERVING", "NOT_SERVING", "UNKNOWN" or "SERVICE_UNKNOWN".
        """
        rpc = self._channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return health_status(self._unary(rpc, health_request(service), timeout))
        except FunctionNotFound:  # what the health protocol answers for a service it does not know
            return "SERVICE_UNKNOWN"

    def _unary(self, rpc: Callable[..., bytes], data: bytes, timeout: float | None) -> bytes:
        try:
            return rpc(
                data,
                timeout=self._timeout if timeout is None else timeout,
                metadata=self._connection.metadata(),
            )
        except grpc.RpcError as error:
            failure = error_of(error)
        except ValueError:
            if not self._closed:
                raise
            raise RuntimeError("this Gate is closed") from None
        raise failure  # outside the except block: its __cause__ and __context__ are the remote ones

    _closed = False

    def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Gate to {self._connection.target}{', closed' if self._closed else ''}>"


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
