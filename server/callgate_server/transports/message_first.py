"""Handlers start when their message is there, and not when their call begins.

grpcio hands a call to its pool as soon as the call's headers have come; the thread that takes it asks for the message
and sleeps until the polling thread wakes it a second time. So each call costs two wake-ups, and a client that opens
calls and sends nothing holds a thread with each. Here the polling thread itself asks for the message, and the pool gets
the call together with it:

    grpcio              headers ─▶ pool thread ─▶ asks, sleeps ┄┄ message ─▶ wakes ─▶ handler
    here                headers ─▶ asks (polling thread)       ┄┄ message ─▶ pool thread ─▶ handler

grpcio has no public way to do so. What is used of its internals (`grpc._server`, alike in 1.75.1 and 1.85.1) is
checked, and where it is not as expected every call goes grpcio's own way, which is slower and otherwise the same.

Invariant: of each call, the request for its message is in `state.due` from when it is made until its event, so that
grpcio keeps the call's state alive; the event either hands the call to the pool, exactly once, or the call has ended
(it was cancelled, or its client closed without a message, which is answered as grpcio answers it).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from callgate_server.transports.outbox import outbox_responder

__all__ = ["message_first"]

log = structlog.get_logger("callgate.transport")

#: How a pool takes a task: a function and its arguments.
Submit = Callable[..., Any]

#: What grpcio's functions that run a handler are given.
_TASK = ["rpc_event", "state", "behavior", "argument_thunk", "request_deserializer", "response_serializer"]


def message_first(submit: Submit) -> Submit:
    """A `submit` for grpcio that passes a call of one request message on only once that message has come.

    Args:
        submit: the pool's own.

    Returns:
        A function to be used in its place.
    """
    try:
        from grpc import _server
        from grpc._cython import cygrpc  # type: ignore[attr-defined]  # private, and compiled

        tasks = (_server._unary_response_in_pool, _server._stream_response_in_pool)
        if any([*inspect.signature(task).parameters] != _TASK for task in tasks):
            raise AttributeError("functions of another shape")
        arrived = _arrived(submit, {tasks[1]: outbox_responder()})
        token, cancelled, no_flags = _server._RECEIVE_MESSAGE_TOKEN, _server._CANCELLED, _server._EMPTY_FLAGS
        receive = cygrpc.ReceiveMessageOperation
    except (ImportError, AttributeError) as error:
        log.warning("grpcio is not as expected: handlers start before their message, at some cost", error=str(error))
        return submit

    def submit_with_message(run: Callable[..., Any], /, *task: Any) -> Any:
        if task[0] not in tasks:
            return submit(run, *task)
        event, state = task[1], task[2]
        with state.condition:
            if state.client is cancelled or state.statused:
                return None
            event.call.start_server_batch((receive(no_flags),), lambda message: arrived(message, run, task))
            state.due.add(token)
        return None

    return submit_with_message


def _arrived(submit: Submit, instead: Mapping[Any, Any]) -> Callable[[Any, Callable[..., Any], tuple[Any, ...]], Any]:
    """What the polling thread does when a message has come, or will not come any more.

    Args:
        submit: the pool's own.
        instead: what runs handlers over bytes in the place of grpcio's functions.

    Raises:
        AttributeError: if grpcio lacks one of the names that this needs.
    """
    from grpc import _common, _server
    from grpc._cython import cygrpc  # type: ignore[attr-defined]  # private, and compiled

    deserialize, abort, finish = _common.deserialize, _server._abort, _server._possibly_finish_call
    opened, closed, cancelled = _server._OPEN, _server._CLOSED, _server._CANCELLED
    token, code = _server._RECEIVE_MESSAGE_TOKEN, cygrpc.StatusCode

    def arrived(message: Any, run: Callable[..., Any], task: tuple[Any, ...]) -> Any:
        responder, event, state, behaviour, _, deserializer, serializer = task
        if serializer is None:
            responder = instead.get(responder, responder)
        payload = message.batch_operations[0].message()
        request = None if payload is None else deserialize(payload, deserializer)
        failure = None
        with state.condition:
            if payload is None:
                if state.client is opened:
                    state.client = closed
                if state.client is closed:
                    failure = code.unimplemented, b"the method takes exactly one request message, and none came"
            elif request is None:
                failure = code.internal, b"the request cannot be deserialized"
            elif state.client is not cancelled:
                try:
                    submit(run, responder, event, state, behaviour, lambda: request, deserializer, serializer)
                except RuntimeError:  # the pool is shut down, or the system gives no thread
                    failure = code.unavailable, b"the server has no thread for this call; it never started"
            if failure is not None and not state.statused:
                abort(state, event.call, *failure)
            return finish(state, token)

    return arrived
