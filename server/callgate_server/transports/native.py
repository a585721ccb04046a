"""The fast transport: HTTP/2 in Rust (`pygrpc-native`), with calls run on the threads that receive them.

    HTTP/2 (tokio, no GIL) ──▶ receivers: CallFunction on the very thread ──▶ servicer
                           ├─▶ stream pool: streams and batches
                           ├─▶ administration pool: listing, administration, health
                           └─▶ a grpcio server on a Unix socket: reflection, and methods that there are not

It has no TLS, and takes a request whole before its size is known: for loopback, Unix sockets, and networks that keep
strangers out. docs/adr/0010-native-transport.md has the reasons, and what differs from grpcio.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import grpc
import structlog
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from callgate.failures import gate_failure
from callgate_server.call import Caller, new_call_id
from callgate_server.refusals import internal_failure
from callgate_server.security.identity import ANONYMOUS, TokenInterceptor, bearer_identity, unauthenticated
from callgate_server.servicers.rpc import fail, trailers
from callgate_server.transports.base import TransportFailed, TransportOptions
from callgate_server.transports.native_call import Aborted, NativeCall
from callgate_server.transports.receivers import Receivers, Worker

__all__ = ["NativeTransport"]

log = structlog.get_logger("callgate.transport")

_ADMINISTRATION_THREADS = 4

#: Events taken at once. Arbitrary: enough that the crossing is shared, few beside what waits in a flood.
_BATCH = 64

#: Calls that one connection may have open: as many as grpcio lets wait.
_MAX_STREAMS = 32_768

#: Bytes of a message above the limit, which counts its payload; grpcio.py has the same.
_SLACK = 1024

#: Tokio's threads. They share the machine with the functions; one carries more than Python can answer.
_IO_THREADS = 1


class _Method(NamedTuple):
    path: str
    handler: Any
    streams: bool
    #: Whether its handler runs where it is received: it tells before it blocks.
    here: bool


#: An RPC that came: what its handler sees of it, its method, its request. A plain tuple: made for each.
_Event: TypeAlias = tuple[NativeCall, _Method, bytes]


class NativeTransport:
    """Serves over pygrpc-native.

    Args:
        options: how to listen.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._most_bytes = options.max_message_bytes + _SLACK
        self._front: Any = None
        self._methods: list[_Method] = []
        self._services: tuple[str, ...] = ()
        self._calls: dict[int, NativeCall] = {}
        self._stopping = False
        self._none_left = threading.Event()  # set when no call is left while stopping
        self._streams = ThreadPoolExecutor(options.stream_threads, thread_name_prefix="callgate-stream")
        self._administration = ThreadPoolExecutor(_ADMINISTRATION_THREADS, thread_name_prefix="callgate-admin")
        self._health = health.HealthServicer(experimental_non_blocking=True)
        self._fallback: grpc.Server | None = None
        self._fallback_folder: Path | None = None

    def identity_of(self, context: Any) -> str:
        """Who makes an RPC: settled when it came."""
        name: str = context.identity
        return name

    def caller_of(self, context: Any) -> Caller:
        """Who waits for an RPC: it is its own caller."""
        call: NativeCall = context
        return call

    def start(self, services: Mapping[str, Mapping[str, grpc.RpcMethodHandler[Any, Any]]]) -> str:
        """Listen and serve. See `Transport.start`."""
        try:
            from pygrpc_native import NativeGrpcFront
        except ImportError:
            raise TransportFailed(
                "the transport 'native' needs the package pygrpc-native: pip install 'callgate[native]', or leave "
                "--transport away"
            ) from None
        if self._options.credentials is not None:
            raise TransportFailed("the transport 'native' has no TLS: use --transport grpcio, or a proxy that has")
        listen = self._options.listen
        try:
            front = self._front = NativeGrpcFront(
                listen,
                [],
                io_threads=_IO_THREADS,
                call_details=True,
                delay_stream_headers=True,  # so that a stream that fails at once has trailers only, as grpcio's
                max_concurrent_streams=_MAX_STREAMS,
            )
        except (OSError, ValueError) as error:
            raise TransportFailed(
                f"cannot listen on {listen}: {error}; choose another address with --listen HOST:PORT "
                "(port 0: any free one)"
            ) from None
        self._services = tuple(services)
        self._collect(services)
        front.add_methods([(method.path, method.streams) for method in self._methods])
        self._start_fallback()
        front.start()
        Receivers(self._receive, self._run_here, threads=self._options.threads, name="callgate-call").start()
        return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{front.bound_port}"

    def _collect(self, services: Mapping[str, Mapping[str, grpc.RpcMethodHandler[Any, Any]]]) -> None:
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self)
        for service, handlers in services.items():
            self.add_registered_method_handlers(service, handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Take a service's methods, as generated code gives them to a server."""
        for name, handler in handlers.items():
            here = getattr(handler.unary_unary, "tells_before_it_blocks", False)
            self._methods.append(_Method(f"/{service}/{name}", handler, bool(handler.response_streaming), here))

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """The same methods again, for servers without registered handlers: not needed."""

    def _start_fallback(self) -> None:
        """Serve by grpcio what the front cannot: bidirectional methods, and what to say to unknown ones."""
        tokens = self._options.tokens
        fallback = self._fallback = grpc.server(
            self._administration, interceptors=[TokenInterceptor(tokens, fail)] if tokens is not None else []
        )
        reflection.enable_server_reflection((*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME), fallback)
        # Its folder is this user's alone: nobody else can reach the socket.
        self._fallback_folder = Path(tempfile.mkdtemp(prefix="callgate-"))
        path = str(self._fallback_folder / "fallback.sock")
        fallback.add_insecure_port(f"unix:{path}")
        fallback.start()
        self._front.set_fallback(path)

    # What comes in.

    def _receive(self) -> Iterable[_Event] | None:
        """Wait for events; calls that run elsewhere are handed over at once, the others are returned."""
        events = self._front.recv_batch_details(_BATCH)
        if events is None:
            return None
        here = []
        for _, number, method, payload, _, details in events:
            try:
                if payload is None:  # nobody waits any more
                    left = self._calls.get(number)
                    if left is not None:
                        left.leave()
                    continue
                event = self._take(number, self._methods[method], payload, details)
                if event is not None:
                    here.append(event)
            except Exception:
                log.exception("a call could not be taken")
                self._refuse(number, internal_failure(new_call_id()).status)
                self._calls.pop(number, None)
        return here

    def _take(self, number: int, method: _Method, payload: bytes, details: Any) -> _Event | None:
        """Note a call, and hand it over if it runs elsewhere."""
        options, identity = self._options, ANONYMOUS
        if options.tokens is not None:
            known = bearer_identity(options.tokens, details[0])
            if known is None:
                self._refuse(number, unauthenticated(details[1]).status)
                return None
            identity = known
        if self._stopping:
            self._refuse(number, gate_failure("DRAINING", "the server is shutting down; the call never started").status)
            return None
        if len(payload) > self._most_bytes:
            sizes = {"size": str(len(payload)), "limit": str(self._most_bytes), "unit": "bytes"}
            message = f"the request is {sizes['size']} bytes; this server takes at most {sizes['limit']}"
            self._refuse(number, gate_failure("REQUEST_TOO_LARGE", message, sizes).status)
            return None
        call = self._calls[number] = NativeCall(self._front, number, details, identity)
        event = call, method, payload
        if method.here:
            return event
        if getattr(method.handler.unary_stream, "experimental_non_blocking", False):
            self._administration.submit(self._watch, event)
        elif method.streams:
            self._streams.submit(Context().run, self._run_stream, event)
        else:
            self._administration.submit(Context().run, self._run_unary, event)
        return None

    # What is done with it.

    def _run_here(self, event: _Event, worker: Worker) -> None:
        event[0].step_aside = worker.aside
        Context().run(self._run_unary, event)

    def _run_unary(self, event: _Event) -> None:
        call, method, payload = event
        try:
            if call.ended:
                return  # cancelled, or past its deadline, before it was begun
            deserialize, serialize = method.handler.request_deserializer, method.handler.response_serializer
            response = method.handler.unary_unary(payload if deserialize is None else deserialize(payload), call)
            if call.code is not None:
                self._front.fail(call.number, call.code.value[0], "")
            else:
                self._front.respond(call.number, response if serialize is None else serialize(response))
        except Aborted as aborted:
            self._front.fail(call.number, aborted.code, aborted.message, list(aborted.trailing))
        except Exception:
            self._fault(call)
        finally:
            self._end(call)

    def _run_stream(self, event: _Event) -> None:
        call, method, payload = event
        items: Any = None
        try:
            if call.ended:
                return
            items = method.handler.unary_stream(payload, call)
            for item in items:
                if not self._front.stream_send(call.number, item):
                    return
            self._front.stream_end(call.number)
        except Aborted as aborted:
            self._front.fail(call.number, aborted.code, aborted.message, list(aborted.trailing))
        except Exception:
            self._fault(call)
        finally:
            items = None  # nothing else refers to them: a generator's `finally` runs on this thread, now
            self._end(call)

    def _watch(self, event: _Event) -> None:
        """Begin a health watch: it holds no thread, and ends when its client leaves."""
        call, method, payload = event

        def send(response: Any) -> None:
            if response is not None and not call.ended:
                # Never waits: a watcher that does not read must not keep the server from changing its mind.
                self._front.stream_try_send(call.number, method.handler.response_serializer(response))

        try:
            call.watch(lambda: self._end(call))
            method.handler.unary_stream(method.handler.request_deserializer(payload), call, send)
        except Exception:
            self._fault(call)
            self._end(call)

    def _refuse(self, number: int, status: Status) -> None:
        self._front.fail(number, status.code, status.message, list(trailers(status, "")))

    def _fault(self, call: NativeCall) -> None:
        """A fault of ours: the caller gets a fixed text, the log gets the rest."""
        call_id = new_call_id()
        log.exception("internal error", call_id=call_id)
        status = internal_failure(call_id).status
        self._front.fail(call.number, status.code, status.message, list(trailers(status, call_id)))

    def _end(self, call: NativeCall) -> None:
        call.done()
        self._calls.pop(call.number, None)
        if self._stopping and not self._calls:
            self._none_left.set()

    # Health, and the end.

    def set_serving(self, serving: bool) -> None:
        """Set the health of the server as a whole and of each service."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *self._services):
            self._health.set(name, status)

    def stop(self, grace: float) -> None:
        """Stop serving."""
        self._health.enter_graceful_shutdown()
        if self._front is not None:
            self._stopping = True
            if self._calls:
                self._none_left.wait(grace)
            self._front.close()
            for call in tuple(self._calls.values()):
                call.leave()
        if self._fallback is not None:
            self._fallback.stop(None).wait()
        if self._fallback_folder is not None:
            shutil.rmtree(self._fallback_folder, ignore_errors=True)
        self._streams.shutdown(wait=False, cancel_futures=True)
        self._administration.shutdown(wait=False, cancel_futures=True)
