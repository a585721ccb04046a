"""The default transport: `grpc.server` on a thread pool, with TLS, tokens, health and reflection."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import grpc
import structlog
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from callgate_server.call import Caller
from callgate_server.security.identity import ANONYMOUS, TokenInterceptor, identity_of
from callgate_server.servicers.rpc import fail, trailers
from callgate_server.transports.base import Credentials, TransportFailed, TransportOptions
from callgate_server.transports.message_first import message_first
from callgate_server.transports.pool import CallPool
from callgate_server.transports.server_tls import check

__all__ = ["GrpcioTransport"]

log = structlog.get_logger("callgate.transport")

#: Threads for health and reflection, which must not wait behind calls, nor calls behind idle reflection streams.
_ADMINISTRATION_THREADS = 4

#: Requests that may wait for a thread to look at them. Arbitrary: several times a flood of 8,000. The channel arguments
#: are gRPC's own but in no public header (grpc#34782): should they go away, a test of the flood notices.
_MAX_PENDING = 32_768


class GrpcioTransport:
    """Serves over grpcio.

    Args:
        options: how to listen.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._services: tuple[str, ...] = ()
        self._pool = CallPool(options.threads, "callgate-call")
        # Apart: open streams hold a thread each, and calls must not wait for them.
        self._stream_pool = _StreamPool(options.stream_threads, thread_name_prefix="callgate-stream")
        self._administration = ThreadPoolExecutor(_ADMINISTRATION_THREADS, thread_name_prefix="callgate-admin")
        # Non-blocking: a Watch takes no thread while it waits.
        self._health = health.HealthServicer(
            experimental_non_blocking=True, experimental_thread_pool=self._administration
        )
        self._server: grpc.Server | None = None
        asks = options.tokens is not None or (options.credentials is not None and options.credentials.client_ca)
        self.identity_of: Callable[[grpc.ServicerContext], str] = identity_of if asks else lambda context: ANONYMOUS

    def start(self, services: Mapping[str, Mapping[str, grpc.RpcMethodHandler[Any, Any]]]) -> str:
        """Listen and serve. See `Transport.start`."""
        options = self._options
        limit = options.max_message_bytes
        interceptors: list[grpc.ServerInterceptor] = (
            [TokenInterceptor(options.tokens, fail)] if options.tokens is not None else []
        )
        server = self._server = grpc.server(
            cast("ThreadPoolExecutor", _MessageFirst(self._pool)),  # grpcio calls its `submit` and nothing else
            interceptors=interceptors,
            options=[
                # A little above the limit, which counts a message's payload.
                ("grpc.max_receive_message_length", limit + 1024),
                ("grpc.max_send_message_length", limit + 1024),
                # Off: a second server on the port must fail, not share it.
                ("grpc.so_reuseport", 0),
                # A flood on one connection is taken in and answered, call by call, by the admission limit; beyond its
                # own 1,000 and 3,000 waiting requests gRPC would answer CANCELLED, as if clients had done it.
                ("grpc.server.max_pending_requests", _MAX_PENDING),
                ("grpc.server.max_pending_requests_hard_limit", 2 * _MAX_PENDING),
                # Clients that ping an idle connection to keep it through a NAT are welcome, every 10 s at most.
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ],
        )
        self._services = tuple(services)
        streams = _OnPool(server, self._stream_pool)
        for service, handlers in services.items():
            calls = {name: handler for name, handler in handlers.items() if not handler.response_streaming}
            server.add_registered_method_handlers(service, calls)
            streams.add_registered_method_handlers(
                service, {name: handler for name, handler in handlers.items() if handler.response_streaming}
            )
        administered = _OnPool(server, self._administration)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, administered)
        reflection.enable_server_reflection((*services, health.SERVICE_NAME, reflection.SERVICE_NAME), administered)
        address = self._bind(server)
        server.start()
        return address

    def _bind(self, server: grpc.Server) -> str:
        listen = self._options.listen
        try:
            if self._options.credentials is not None:
                port = server.add_secure_port(listen, _server_credentials(self._options.credentials))
            else:
                port = server.add_insecure_port(listen)
        except RuntimeError:
            raise TransportFailed(
                f"cannot listen on {listen}: the port is in use, or the address is not this machine's; "
                "choose another with --listen HOST:PORT (port 0: any free one)"
            ) from None
        return listen if listen.startswith("unix:") else re.sub(r":\d+$", f":{port}", listen)

    def caller_of(self, context: grpc.ServicerContext) -> Caller:
        """Who waits for an RPC."""
        return _GrpcioCaller(context)

    def set_serving(self, serving: bool) -> None:
        """Set the health of the server as a whole and of each service."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *self._services):
            self._health.set(name, status)

    def stop(self, grace: float) -> None:
        """Stop serving."""
        self._health.enter_graceful_shutdown()
        if self._server is not None:
            self._server.stop(grace).wait()
        for pool in (self._pool, self._stream_pool):
            pool.shutdown(wait=False, cancel_futures=True)
        self._administration.shutdown(wait=False, cancel_futures=True)


class _MessageFirst:
    """A pool whose calls start with their message."""

    def __init__(self, pool: CallPool) -> None:
        self.submit = message_first(pool.submit)


class _StreamPool(ThreadPoolExecutor):
    """The same for streams: grpcio takes nothing but a ThreadPoolExecutor as a behaviour's own pool."""

    def __init__(self, threads: int, thread_name_prefix: str) -> None:
        super().__init__(threads, thread_name_prefix)
        self._submit = message_first(super().submit)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Have a call run, or another task."""
        return self._submit(fn, *args, **kwargs)


class _OnPool:
    """A stand-in for a server that has handlers run on another thread pool.

    grpcio picks a behaviour's pool by its attribute `experimental_thread_pool`; generated code offers no way to set it.
    """

    def __init__(self, server: grpc.Server, pool: ThreadPoolExecutor) -> None:
        self._server = server
        self._pool = pool

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        self._server.add_registered_method_handlers(service, {n: self._moved(h) for n, h in handlers.items()})

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """The same methods again, for servers without registered handlers: not needed."""

    def _moved(self, handler: Any) -> Any:
        kind = next(k for k in ("unary_unary", "unary_stream", "stream_unary", "stream_stream") if getattr(handler, k))
        behaviour = getattr(handler, kind)
        if hasattr(behaviour, "experimental_thread_pool"):
            return handler  # the health service's own

        def moved(*args: Any) -> Any:
            return behaviour(*args)

        moved.experimental_thread_pool = self._pool  # type: ignore[attr-defined]  # grpcio reads it off the function
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(moved, handler.request_deserializer, handler.response_serializer)


class _GrpcioCaller:
    """The caller of one RPC."""

    __slots__ = ("_context",)

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context

    def watch(self, gone: Callable[[], None]) -> bool:
        """grpcio runs the callback when the RPC ends, however it ends; False if it has ended."""
        return bool(self._context.add_callback(gone))

    def may_block(self) -> None:
        """Each call has a thread of its own."""

    def runs_here(self) -> None:
        """Each call has a thread of its own."""

    def answer(self, status: Status) -> bool:
        """End the RPC from another thread, while its handler still runs.

        grpcio has no public way: a handler can only be answered by returning. This does what its own `abort` does,
        under the same lock, and marks the RPC as cancelled, which makes grpcio drop what the handler returns later.
        Where a grpcio has none of these names, the caller is answered when the function returns instead.
        """
        try:
            from grpc import _server

            state, event = self._context._state, self._context._rpc_event  # type: ignore[attr-defined]  # private
            cancelled, abort = _server._CANCELLED, _server._abort
        except (ImportError, AttributeError):
            return False
        with state.condition:
            if state.client is cancelled or state.statused or state.aborted:
                return False
            state.trailing_metadata = trailers(status, "")
            code = _CYGRPC_CODES.get(status.code)
            if code is None:
                return False
            abort(state, event.call, code, status.message.encode())
            state.client = cancelled
        return True


def _cygrpc_codes() -> dict[int, Any]:
    try:
        from grpc._cython import cygrpc  # type: ignore[attr-defined]  # private, and compiled
    except ImportError:
        return {}
    codes = (getattr(cygrpc.StatusCode, code.name.lower(), None) for code in grpc.StatusCode)
    return {int(code): code for code in codes if code is not None}


_CYGRPC_CODES = _cygrpc_codes()


def _server_credentials(files: Credentials) -> grpc.ServerCredentials:
    check(files)  # gRPC would say no more than that it cannot bind
    client_ca = files.client_ca.read_bytes() if files.client_ca is not None else None
    return grpc.ssl_server_credentials(
        [(files.key.read_bytes(), files.certificate.read_bytes())],
        root_certificates=client_ca,
        require_client_auth=client_ca is not None,
    )
