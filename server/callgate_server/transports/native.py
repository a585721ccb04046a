"""The fast transport: HTTP/2 by nghttp2, in C, with calls run on the very threads that read them off their sockets.

    sockets ─▶ connections ─▶ receivers: CallFunction on the very thread ──▶ servicer
                           ├─▶ stream pool: streams and batches
                           └─▶ administration pool: listing, administration, health, reflection

An answer is not sent by itself: those to requests that came together go together, once they are all made or 0.2 ms
after the first. docs/adr/0017-nghttp2.md has the reasons, and what was here before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import grpc
import structlog
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from callgate.http2.headers import Metadata
from callgate.http2.kinds import CALL, END, GONE, MESSAGE, TOO_LARGE
from callgate_server.call import Caller, new_call_id
from callgate_server.refusals import internal_failure
from callgate_server.servicers.rpc import trailers
from callgate_server.transports.arrivals import Arrivals
from callgate_server.transports.base import TransportFailed, TransportOptions
from callgate_server.transports.listening import listen_on
from callgate_server.transports.native_call import Aborted, NativeCall
from callgate_server.transports.receivers import Receivers, Worker
from callgate_server.transports.server_tls import context_of

if TYPE_CHECKING:
    from callgate_server.transports.connection import Connection
    from callgate_server.transports.connections import Connections

__all__ = ["NativeTransport"]

log = structlog.get_logger("callgate.transport")

_ADMINISTRATION_THREADS = 4

#: Bytes of a message above the limit, which counts its payload; grpcio.py has the same.
_SLACK = 1024

#: Seconds after which an answer goes, although requests that came with its own are not yet answered. Arbitrary: some
#: twenty quick calls, and little beside what a client's own way takes.
_LATE = 0.0002

#: Seconds that a client has to read what it was sent, and the last thread to leave, when the server stops.
_PARTING = 1.0


class _Method(NamedTuple):
    handler: Any
    #: Whether it has several answers.
    streams: bool
    #: Whether its handler runs where it is received: it tells before it blocks, and takes several that come together.
    here: bool


#: An RPC that came: what its handler sees of it, its request, its method. A plain tuple: made for each.
_Event: TypeAlias = "tuple[NativeCall, bytes, _Method]"


class NativeTransport:
    """Serves over nghttp2.

    Args:
        options: how to listen.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._most_bytes = options.max_message_bytes + _SLACK
        self._arrivals = Arrivals(options.tokens, self._most_bytes)
        self._connections: Connections | None = None
        self._methods: dict[str, _Method] = {}
        self._services: tuple[str, ...] = ()
        self._calls: set[NativeCall] = set()
        self._since = 0.0
        self._ending = False
        self._none_left = threading.Event()  # set when no call is left while stopping
        self._ended = threading.Event()
        self._streams = ThreadPoolExecutor(options.stream_threads, thread_name_prefix="callgate-stream")
        self._administration = ThreadPoolExecutor(_ADMINISTRATION_THREADS, thread_name_prefix="callgate-admin")
        self._health = health.HealthServicer(experimental_non_blocking=True)

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
            from callgate_server.transports.connections import Connections
        except ImportError as error:
            raise TransportFailed(f"{error}; or leave --transport away") from None
        options = self._options
        tls = None if options.credentials is None else context_of(options.credentials)
        self._services = tuple(services)
        self._collect(services)
        listeners = listen_on(options.listen)
        self._connections = Connections(listeners, self._most_bytes, tls)
        receivers = Receivers(
            self._receive, self._run_here, self._connections.flush, threads=options.threads, name="callgate-call"
        )
        receivers.start()
        return listeners.address

    def _collect(self, services: Mapping[str, Mapping[str, grpc.RpcMethodHandler[Any, Any]]]) -> None:
        for service, handlers in services.items():
            self.add_registered_method_handlers(service, handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self)
        names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Take a service's methods, as generated code gives them to a server."""
        for name, handler in handlers.items():
            here = hasattr(handler.unary_unary, "together")
            self._methods[f"/{service}/{name}"] = _Method(handler, bool(handler.response_streaming), here)

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """The same methods again, for servers without registered handlers: not needed."""

    # What comes in.

    def _receive(self) -> Iterable[_Event] | None:
        """Wait for what comes; calls that run elsewhere are handed over at once, the others are returned."""
        connections = self._connections
        assert connections is not None
        here: list[_Event] = []
        for connection, events in connections.wait():
            if events is None:
                for call in tuple(connection.calls.values()):
                    call.leave()
                continue
            for event in events:
                try:
                    if event[0] == CALL:
                        taken = self._take(connection, *event[1:])
                        if taken is not None:
                            here.append(taken)
                        elif _converses_no_more(connection, event[1]):
                            events.append((END, event[1]))  # behind what else came with it
                    else:
                        self._follow(connection, *event)
                except Exception:
                    log.exception("an event could not be taken")
                    self._arrivals.refuse(connection, event[1], internal_failure(new_call_id()).status)
            if connection.session.wants_output:
                connections.note(connection)  # refusals; settings, pings, windows: with the answers, if those are quick
        if self._ending and not here:
            connections.close()
            self._ended.set()
            return None
        self._since = time.monotonic()
        return here

    def _take(
        self, connection: Connection, stream: int, path: str, timeout: float | None, metadata: Metadata, message: Any
    ) -> _Event | None:
        """Note a call, and hand it over if it runs elsewhere."""
        arrivals = self._arrivals
        identity = arrivals.identity(connection, stream, metadata)
        if identity is None:
            return None
        method = self._methods.get(path)
        if method is None:
            arrivals.refuse_plainly(connection, stream, "UNIMPLEMENTED", f"there is no method {path[:200]}")
            return None
        call = NativeCall(connection, stream, metadata, timeout, identity)
        if method.handler.request_streaming:
            call.conversation = method.handler
            connection.calls[stream] = call
            self._converse(call, message)
            return None
        request = message if type(message) is bytes else arrivals.request(connection, stream, message)
        if request is None:
            return None
        connection.calls[stream] = call
        event = call, request, method
        if method.here:
            self._calls.add(call)
            return event
        if getattr(method.handler.unary_stream, "experimental_non_blocking", False):
            self._administration.submit(self._watch, event)
        elif method.streams:
            self._calls.add(call)
            self._streams.submit(Context().run, self._run_stream, event)
        else:
            self._calls.add(call)
            self._administration.submit(Context().run, self._run_apart, event)
        return None

    def _follow(self, connection: Connection, kind: int, stream: int, *about: Any) -> None:
        """What comes of an RPC after its first message, or instead of it."""
        call = connection.calls.get(stream)
        if kind == TOO_LARGE:
            _, _, metadata, size = about
            if self._arrivals.identity(connection, stream, metadata) is not None:
                self._arrivals.refuse_too_large(connection, stream, str(size))
        elif call is None:
            return
        elif kind == GONE:
            call.leave()
        elif call.conversation is not None:
            self._converse(call, about[0] if kind == MESSAGE else None)

    # What is done with it.

    def _run_here(self, event: _Event, worker: Worker) -> None:
        left: Any = event
        while left is not None:
            one: _Event = left
            try:
                left = one[2].handler.unary_unary.together(one, worker, self)
            except Exception:
                self._fault(one[0])
                self._end(one[0])
                return
            if left is one:
                one[0].receiver = worker
                Context().run(self._run_unary, one)
                self._answered(one[0])
                left = None

    def respond(self, call: NativeCall, response: bytes) -> None:
        """Answer a call of a burst."""
        call.respond(response)
        self._end(call)
        self._answered(call)

    def fail(self, call: NativeCall, status: Status, call_id: str) -> None:
        """Answer a call of a burst with its failure."""
        call.finish(status.code, status.message, trailers(status, call_id))
        self._end(call)

    def _answered(self, call: NativeCall) -> None:
        """See that an answer goes, at the latest when it would be late."""
        connections = self._connections
        assert connections is not None
        connections.note(call.connection)
        now = time.monotonic()
        if now - self._since > _LATE:
            self._since = now
            connections.flush()

    def _run_apart(self, event: _Event) -> None:
        self._run_unary(event)
        event[0].connection.flush()

    def _run_unary(self, event: _Event) -> None:
        call, payload, method = event
        try:
            if call.ended:
                return  # cancelled, or past its deadline, before it was begun
            deserialize, serialize = method.handler.request_deserializer, method.handler.response_serializer
            response = method.handler.unary_unary(payload if deserialize is None else deserialize(payload), call)
            if call.code is not None:
                call.finish(call.code.value[0])
            else:
                call.respond(response if serialize is None else serialize(response))
        except Aborted as aborted:
            call.finish(aborted.code, aborted.message, aborted.trailing)
        except Exception:
            self._fault(call)
        finally:
            self._end(call)

    def _run_stream(self, event: _Event) -> None:
        call, payload, method = event
        items: Any = None
        try:
            if call.ended:
                return
            items = method.handler.unary_stream(payload, call)
            for item in items:
                if not call.send(item):
                    return
            call.finish(0)
        except Aborted as aborted:
            call.finish(aborted.code, aborted.message, aborted.trailing)
        except Exception:
            self._fault(call)
        finally:
            items = None  # nothing else refers to them: a generator's `finally` runs on this thread, now
            self._end(call)

    def _converse(self, call: NativeCall, message: Any) -> None:
        """Answer a message of a bidirectional RPC, which is reflection: each has its answers, and they are at hand."""
        handler = call.conversation
        try:
            if message is None:
                call.finish(0)
                call.done()
                return
            request = self._arrivals.request(call.connection, call.stream, message)
            if request is None:
                call.done()
                return
            for response in handler.stream_stream(iter((handler.request_deserializer(request),)), call):
                # Never waits, since it leads; who asks and does not read is stopped by what `Arrivals.identity` counts.
                call.send(handler.response_serializer(response), wait=False)
        except Exception:
            self._fault(call)
            call.done()

    def _watch(self, event: _Event) -> None:
        """Begin a health watch: it holds no thread, and ends when its client leaves."""
        call, payload, method = event

        def send(response: Any) -> None:
            if response is not None and not call.ended:
                # Never waits: a watcher that does not read must not keep the server from changing its mind.
                call.send(method.handler.response_serializer(response), wait=False)

        try:
            call.watch(call.done)
            method.handler.unary_stream(method.handler.request_deserializer(payload), call, send)
        except Exception:
            self._fault(call)
            call.done()

    def _fault(self, call: NativeCall) -> None:
        """A fault of ours: the caller gets a fixed text, the log gets the rest."""
        call_id = new_call_id()
        log.exception("internal error", call_id=call_id)
        status = internal_failure(call_id).status
        call.finish(status.code, status.message, trailers(status, call_id))

    def _end(self, call: NativeCall) -> None:
        call.done()
        self._calls.discard(call)
        if self._arrivals.stopping and not self._calls:
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
        connections = self._connections
        if connections is not None:
            self._arrivals.stopping = True
            connections.stop_listening()
            for connection in connections:
                connection.go_away(last=False)
            if self._calls:
                self._none_left.wait(grace)
            for connection in connections:
                connection.go_away(last=True)
            connections.wake()
            connections.sent.wait(_PARTING)
            self._ending = True
            connections.wake()
            self._ended.wait(_PARTING)
        self._streams.shutdown(wait=False, cancel_futures=True)
        self._administration.shutdown(wait=False, cancel_futures=True)


def _converses_no_more(connection: Connection, stream: int) -> bool:
    """Whether an RPC is bidirectional, and its client has sent all already; if not yet, END will come."""
    call = connection.calls.get(stream)
    return call is not None and call.conversation is not None and connection.converse(stream)
