"""A unary call without what grpcio's own way does around it: a third of what a call costs this side, measured.

grpcio makes a state object with a condition, asks three times for a plugin that measures calls, and copies names, for
each call. Here a call that ends well is its six operations and nothing else; one that fails is handed to grpcio's own
functions, so that its error is the same. It also sends a large message in a batch of operations of its own: grpcio
keeps the request until the answer has come, which for large arrays is a copy of each more than needed.

Uses names of `grpc._channel` (looked at in 1.75.1 and 1.85.1), and leaves calls to grpcio where they are not there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["direct"]

#: Requests from here on are let go of before the answer is there; arbitrary, above what a second batch costs.
_LARGE = 256 << 10

#: What is used of a multi-callable, and what its own way of calling must use for it to be the one that is known here.
_ATTRIBUTES = ("_channel", "_context", "_method", "_registered_call_handle")
_NAMES = {"segregated_call", "next_event", "_handle_event", "_determine_deadline", "GRPC_PROPAGATE_DEFAULTS"}


def direct(rpc: Any) -> Callable[..., bytes]:
    """A unary multi-callable over bytes, called directly.

    Args:
        rpc: what `channel.unary_unary(METHOD)` returns, without serializers.

    Returns:
        A function of the request, `timeout` (seconds or None) and `metadata` (pairs or None), which returns the
        response, None if there is none, and raises as `rpc` does; `rpc` itself where this grpcio is not as expected.
    """
    try:
        from grpc import _channel, _observability
        from grpc._cython import cygrpc  # type: ignore[attr-defined]  # private, and compiled

        if not set(type(rpc)._blocking.__code__.co_names) >= _NAMES:
            return rpc  # type: ignore[no-any-return]  # grpcio's own
        channel, context, method, handle = (getattr(rpc, name) for name in _ATTRIBUTES)
        determine_deadline, no_flags = _channel._determine_deadline, _channel._EMPTY_FLAGS
        state_of, initial_due = _channel._RPCState, _channel._UNARY_UNARY_INITIAL_DUE
        handle_event, end = _channel._handle_event, _channel._end_unary_response_blocking
        send_metadata, send, send_close = (
            cygrpc.SendInitialMetadataOperation,
            cygrpc.SendMessageOperation,
            cygrpc.SendCloseFromClientOperation,
        )
        receive_metadata, receive, receive_status = (
            cygrpc.ReceiveInitialMetadataOperation,
            cygrpc.ReceiveMessageOperation,
            cygrpc.ReceiveStatusOnClientOperation,
        )
        propagate, ok = cygrpc.PropagationConstants.GRPC_PROPAGATE_DEFAULTS, cygrpc.StatusCode.ok
        metadata_flags = _channel._InitialMetadataFlags()
        name, target = method.decode(), rpc._target.decode()
    except (ImportError, AttributeError):
        return rpc  # type: ignore[no-any-return]  # grpcio's own

    def call(data: bytes, timeout: float | None = None, metadata: Any = None) -> bytes:
        if _observability._OBSERVABILITY_PLUGIN is not None:  # somebody measures grpcio's calls
            return rpc(data, timeout=timeout, metadata=metadata)  # type: ignore[no-any-return]  # grpcio's own
        message, status = receive(no_flags), receive_status(no_flags)
        operations: Any = (
            send_metadata(metadata, metadata_flags),
            send(data, no_flags),
            send_close(no_flags),
            receive_metadata(no_flags),
            message,
            status,
        )
        large = len(data) >= _LARGE
        del data
        batches: Any = ((operations[:3], None), (operations[3:], None)) if large else ((operations, None),)
        del operations
        began = channel.segregated_call(
            propagate,
            method,
            None,
            determine_deadline(None if timeout is None else time.time() + timeout),
            metadata,
            None,
            batches,
            context,
            handle,
        )
        del batches
        event = began.next_event()
        if large:
            if event.batch_operations[-1] is status:
                began.next_event()
            else:
                event = None  # it has the request
                event = began.next_event()
        if status.code() == ok:
            return message.message()  # type: ignore[no-any-return]  # bytes
        state = state_of(initial_due, None, None, None, None)
        state.rpc_start_time = time.perf_counter()
        state.method, state.target = name, target
        handle_event(event, state, None)
        end(state, began, False, None)  # it raises
        raise AssertionError("a call that failed has ended well")

    return call
