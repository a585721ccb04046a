"""FunctionService: bytes in, bytes out.

Handlers take and return serialized messages: an executor may pass a request on as it came and hand back an answer that
it serialized inside its guard. The service is registered by `handlers`, method by method, since transports look
registered methods up by name.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias, TypedDict

import grpc
from google.protobuf.message import DecodeError

from callgate.failures import CallFailed, gate_failure
from callgate.memory import LARGEST_BYTES, give_back
from callgate.v1 import function_service_pb2 as pb
from callgate.values.requests import call_of
from callgate_server.batch import Batch
from callgate_server.burst import BurstCall, Ends
from callgate_server.call import Caller, new_call_id
from callgate_server.dispatch import Dispatcher, call_to
from callgate_server.executors.in_process import InProcessExecutor
from callgate_server.servicers.describe import describe
from callgate_server.servicers.rpc import Handlers, fail, parse, plain_handler

__all__ = ["SERVICE", "BatchLimits", "FunctionServicer"]

SERVICE = "callgate.v1.FunctionService"

#: Bytes of a request beyond which a call is none of a burst: its arguments would be decoded while others wait.
_SMALL = 16 << 10

#: An RPC that came: its context, and its request.
Arrival: TypeAlias = "tuple[Any, bytes, Any]"

#: The most ids that a chain may have; a chain of calls so deep is a loop.
_MAX_CHAIN = 64

_PAGE_SIZE = 1000

#: Seconds beyond which a deadline is none: a century.
_FOREVER = 100 * 365 * 86400.0


class About(TypedDict):
    """What an RPC says about its call; the keyword arguments of Dispatcher.call and stream."""

    identity: str
    deadline: float | None
    chain: tuple[str, ...]
    caller: Caller


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Limits on batches: calls in one, bytes of one message, and threads for those that run calls side by side."""

    batch: int
    message: int
    threads: int


class FunctionServicer:
    """The service's methods.

    Args:
        dispatcher: the way to the functions.
        identity_of: tells who makes an RPC.
        caller_of: how an RPC's caller is watched and answered early: the transport's business.
        limits: on batches.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        identity_of: Callable[[grpc.ServicerContext], str],
        caller_of: Callable[[grpc.ServicerContext], Caller],
        limits: BatchLimits,
    ) -> None:
        self._dispatcher = dispatcher
        self._identity_of = identity_of
        self._caller_of = caller_of
        self._limits = limits
        self._request_of = functools.partial(call_of, limits=dispatcher.value_limits)
        self._batch_pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="callgate-batch")

    def handlers(self) -> Handlers:
        """The service's method handlers by name, over bytes."""
        unary = grpc.unary_unary_rpc_method_handler
        stream = grpc.unary_stream_rpc_method_handler
        return {
            "CallFunction": unary(_Together(self.call_function, self.call_functions)),
            "StreamFunction": stream(self.stream_function),
            "BatchCallFunctions": stream(self.batch_call_functions),
            "ListFunctions": unary(plain_handler(pb.ListFunctionsRequest, self.list_functions, self._identity_of)),
            "GetFunction": unary(plain_handler(pb.GetFunctionRequest, self.get_function, self._identity_of)),
        }

    def close(self) -> None:
        """End the threads of batches, once none runs any more."""
        self._batch_pool.shutdown(wait=False, cancel_futures=True)

    def call_function(self, payload: bytes, context: grpc.ServicerContext) -> bytes:
        """CallFunction."""
        call_id = new_call_id()
        if len(payload) >= LARGEST_BYTES:
            give_back()
        try:
            request = parse(pb.CallFunctionRequest, payload, self._request_of)
            return self._dispatcher.call(
                request,
                payload,
                identity=self._identity_of(context),
                deadline=_deadline(context),
                chain=_chain(context),
                caller=self._caller_of(context),
                call_id=call_id,
            )
        except CallFailed as failure:
            status = failure.status
        return fail(context, status, call_id)

    def call_functions(self, arrival: Arrival, source: Source, ends: Ends) -> Arrival | None:
        """CallFunction, of several that came together: makes as many in one turn as that is for.

        Args:
            arrival: the first.
            source: gives the others, and is told how to deal with a call that takes long.
            ends: answers them.

        Returns:
            One that was not made, and is for `call_function`; None if there is none.
        """
        dispatcher, left = self._dispatcher, arrival
        first = self._prepared(arrival)
        if first is None:
            return arrival
        executor, call = first
        own: Arrival | None = None

        def following() -> BurstCall | None:
            nonlocal own
            own = source.take()
            if own is None:
                return None
            prepared = self._prepared(own)
            if prepared is None or prepared[0] is not executor:
                return None  # it stays in `own`
            own = None
            return prepared[1]

        burst = dispatcher.burst(call, following, ends)
        source.overdue = burst.climb
        source.stay()
        try:
            made = dispatcher.call_burst(executor, burst)
        finally:
            source.overdue = None
        return own if made else left

    def _prepared(self, arrival: Arrival) -> tuple[InProcessExecutor, BurstCall] | None:
        """A call for a burst, with the executor that it is for; None if it is for `call_function`, wrong or not."""
        context, payload = arrival[0], arrival[1]
        if len(payload) > _SMALL or context.ended:
            return None
        try:
            request = self._request_of(payload)
            found = self._dispatcher.takes_in_burst(request.module, request.function)
            if found is None:
                return None
            chain = _chain(context)
        except (DecodeError, CallFailed):
            return None
        exposed, executor = found
        deadline = _deadline(context)
        call = call_to(exposed, request, payload, new_call_id(), self._identity_of(context), deadline, chain, context)
        return executor, (exposed, call)

    def stream_function(self, payload: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """StreamFunction."""
        packing = _Packing()
        return _Items(self._stream(payload, context, packing), packing)

    def _stream(self, payload: bytes, context: grpc.ServicerContext, packing: _Packing) -> Iterator[bytes]:
        call_id = new_call_id()
        try:
            request = parse(pb.CallFunctionRequest, payload)
            if request.takes_more and self._limits.message >= _TOGETHER:
                packing.pack = _joined
            yield from self._dispatcher.stream(request, payload, **self._about(context), call_id=call_id)
            return
        except CallFailed as failure:
            status = failure.status
        fail(context, status, call_id)

    def _about(self, context: grpc.ServicerContext) -> About:
        """What the RPC says about its call."""
        return {
            "identity": self._identity_of(context),
            "deadline": _deadline(context),
            "chain": _chain(context),
            "caller": self._caller_of(context),
        }

    def batch_call_functions(self, payload: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """BatchCallFunctions."""
        call_id = new_call_id()
        try:
            request = parse(pb.BatchCallFunctionsRequest, payload)
            yield from self._batch(request, context).messages()
            return
        except CallFailed as failure:
            status = failure.status
        fail(context, status, call_id)

    def _batch(self, request: pb.BatchCallFunctionsRequest, context: grpc.ServicerContext) -> Batch:
        call_timeout = None
        if request.HasField("call_timeout"):
            call_timeout = request.call_timeout.ToNanoseconds() / 1e9
            if call_timeout <= 0:
                raise gate_failure("MALFORMED_REQUEST", f"call_timeout is {call_timeout:g} s; it must be above 0")
        return Batch(
            self._dispatcher,
            request,
            **self._about(context),
            call_timeout=call_timeout,
            pool=self._batch_pool,
            max_bytes=self._limits.message,
            max_calls=self._limits.batch,
        )

    def list_functions(self, request: pb.ListFunctionsRequest, identity: str) -> pb.ListFunctionsResponse:
        """ListFunctions: a page of what this caller may call. A page token is the full name that the page starts at."""
        if request.page_size < 0:
            raise gate_failure("MALFORMED_REQUEST", f"page_size is {request.page_size}; 0 or more is right")
        size = min(request.page_size or _PAGE_SIZE, _PAGE_SIZE)
        start = tuple(request.page_token.split("\n"))
        if request.page_token and len(start) != 2:
            raise gate_failure("MALFORMED_REQUEST", "page_token is not one that this server gave")
        response = pb.ListFunctionsResponse()
        for exposed in self._dispatcher.registry:
            if request.module and exposed.module != request.module:
                continue
            if request.page_token and (exposed.module, exposed.name) < start:
                continue
            if len(response.functions) == size:
                response.next_page_token = f"{exposed.module}\n{exposed.name}"
                break
            response.functions.append(describe(exposed, self._dispatcher.executors[exposed.executor]))
        return response

    def get_function(self, request: pb.GetFunctionRequest, identity: str) -> pb.GetFunctionResponse:
        """GetFunction."""
        exposed = self._dispatcher.registry.resolve(request.module, request.function)
        return pb.GetFunctionResponse(function=describe(exposed, self._dispatcher.executors[exposed.executor]))


class Source(Protocol):
    """Where a transport's further calls come from.

    Attributes:
        overdue: what to do if the call that runs now takes long.
    """

    overdue: Callable[[], None] | None

    def stay(self) -> None:
        """Have it watched from now on: it runs on the thread that receives calls."""
        ...

    def take(self) -> Arrival | None:
        """Another call that has come and that nobody else has taken; None if there is none, or not for this thread."""
        ...


class _Together(functools.partial[bytes]):
    """A handler of one RPC which says how to handle several that came together, on the thread that received them."""

    together: Callable[[Arrival, Source, Ends], Arrival | None]

    def __new__(cls, one: Callable[..., bytes], together: Callable[[Arrival, Source, Ends], Arrival | None]) -> Self:
        made = super().__new__(cls, one)
        made.together = together
        return made


class _Packing:
    """How a stream's messages are packed, as far as its request was read."""

    pack: Callable[[list[bytes]], bytes] | None = None


class _Items(Iterator[bytes]):
    """A stream's messages. Like a generator, it closes its source when nothing refers to it any more.

    Args:
        source: where they come from.
        packing: what that finds out of their packing.
    """

    def __init__(self, source: Iterator[bytes], packing: _Packing) -> None:
        self._source = source
        self._packing = packing

    @property
    def pack(self) -> Callable[[list[bytes]], bytes] | None:
        """What makes one message of several; None if the client takes them one by one, or before the first."""
        return self._packing.pack

    def __next__(self) -> bytes:
        return next(self._source)


def _joined(items: list[bytes]) -> bytes:
    """One StreamFunctionResponse of several.

    Each has one field, `value`, number 1, which is written first. The others' becomes `more`, number 2: another tag
    before the same bytes (https://protobuf.dev/programming-guides/encoding/#structure).
    """
    return b"".join((items[0], *(part for item in items[1:] for part in (_MORE, memoryview(item)[1:]))))


#: The least `limits.message` with which items are sent together: what is packed is up to 64 KiB and a little.
_TOGETHER = 128 << 10

#: Field 2, length-delimited.
_MORE = b"\x12"


def _deadline(context: grpc.ServicerContext) -> float | None:
    """When the caller stops waiting, `time.monotonic()` seconds; None if never."""
    remaining: float | None = context.time_remaining()
    return None if remaining is None or remaining > _FOREVER else time.monotonic() + remaining


def _chain(context: grpc.ServicerContext) -> tuple[str, ...]:
    metadata = context.invocation_metadata()
    for key, value in metadata:
        if key == "callgate-call-chain":
            ids = tuple(value.split(",")) if isinstance(value, str) else ()
            if not ids or len(ids) > _MAX_CHAIN or not all(0 < len(one) <= 64 for one in ids):
                raise gate_failure(
                    "MALFORMED_REQUEST",
                    f"callgate-call-chain must be 1 to {_MAX_CHAIN} comma-separated call ids of 1 to 64 characters",
                )
            return ids
    return ()
