"""Streams whose handler goes on while a message is being sent.

grpcio sends a message, sleeps until that is done, and then asks the handler for the next one. Here the handler's thread
only leaves messages; the polling thread, which hears that one was sent, sends the next, and all that wait together
where the handler's iterator has a `pack`, because its reader takes them so:

    handler's thread ── message ─▶ Outbox: a few wait ─▶ sent at once, if none is being sent
                                              └────────▶ sent when that is done (polling thread)

So nothing is held back for company, and the slower side sets the pace: the handler waits while the outbox is full.

Like message_first.py, this uses names of `grpc._server` and falls back to grpcio's own way.

Invariant, under `state.condition`, grpcio's own lock for the call: at most one message is being sent, and while none
is, none waits. Messages are sent in order, each once, and before the status that ends the call.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["outbox_responder"]

#: How many messages may wait, and how many bytes: few, since they were made for a reader that may not want them. Those
#: that are packed into one have no more bytes, either: a reader has a limit on the message that it takes.
_MOST = 32
_MOST_BYTES = 64 << 10

#: What grpcio's functions take, of those used here.
_SHAPES = {
    "_call_behavior": ["rpc_event", "state", "behavior", "argument", "request_deserializer"],
    "_take_response_from_response_iterator": ["rpc_event", "state", "response_iterator"],
    "_status": ["rpc_event", "state", "serialized_response"],
    "_get_initial_metadata_operation": ["state", "metadata"],
    "_get_send_message_op_flags_from_state": ["state"],
    "_is_rpc_state_active": ["state"],
    "_possibly_finish_call": ["state", "token"],
}


def outbox_responder() -> Callable[..., None]:
    """What takes the place of grpcio's function that runs a streaming handler over bytes.

    Raises:
        AttributeError: if this grpcio is not as expected.
    """
    from grpc import _server
    from grpc._cython import cygrpc  # type: ignore[attr-defined]  # private, and compiled

    for name, shape in _SHAPES.items():
        if [*inspect.signature(getattr(_server, name)).parameters][: len(shape)] != shape:
            raise AttributeError(f"{name} of another shape")
    take: Any = _server._take_response_from_response_iterator
    active, finish = _server._is_rpc_state_active, _server._possibly_finish_call
    call_behaviour: Any = _server._call_behavior
    first_token, token = _server._SEND_INITIAL_METADATA_AND_SEND_MESSAGE_TOKEN, _server._SEND_MESSAGE_TOKEN
    send = cygrpc.SendMessageOperation

    class Outbox:
        """One stream's messages on their way."""

        def __init__(self, event: Any, state: Any, messages: Iterator[bytes]) -> None:
            self._event = event
            self._state = state
            self._messages = messages
            self._waiting: list[bytes] = []
            self._bytes = 0
            self._sending = False

        def __next__(self) -> bytes:
            """The handler's next message. Its end, or failure, comes when the messages before it have been sent."""
            try:
                return next(self._messages)
            except BaseException:
                with self._state.condition:
                    while self._sending and active(self._state):
                        self._state.condition.wait()
                raise

        @property
        def _pack(self) -> Callable[[list[bytes]], bytes] | None:
            """What makes one message of several; None if they go one by one. Known once there is a first."""
            return getattr(self._messages, "pack", None)

        def put(self, message: bytes) -> bool:
            """Send a message, or leave it to be sent; False if nobody is there any more."""
            state = self._state
            with state.condition:
                if not active(state):
                    return False
                self._waiting.append(message)
                self._bytes += len(message)
                if not self._sending:
                    self._send()
                    return True
                most = 1 if self._pack is None else _MOST
                while (len(self._waiting) >= most or self._bytes >= _MOST_BYTES) and active(state):
                    state.condition.wait()
                return bool(active(state))

        def _send(self) -> None:
            """Send what waits, under the lock: as much as a packed message may have, or the first."""
            state, waiting = self._state, self._waiting
            pack = self._pack
            count, size = 1, len(waiting[0])
            while pack is not None and count < len(waiting) and size + len(waiting[count]) <= _MOST_BYTES:
                size += len(waiting[count])
                count += 1
            message = waiting[0] if pack is None or count == 1 else pack(waiting[:count])
            del waiting[:count]
            self._bytes -= size
            operations: tuple[Any, ...] = (send(message, _server._get_send_message_op_flags_from_state(state)),)
            due = token
            if state.initial_metadata_allowed:
                operations = (_server._get_initial_metadata_operation(state, None), *operations)
                state.initial_metadata_allowed = False
                due = first_token
            self._event.call.start_server_batch(operations, lambda _: self._sent(due))
            state.due.add(due)
            self._sending = True

        def _sent(self, due: Any) -> Any:
            """A message was sent, on the polling thread."""
            state = self._state
            with state.condition:
                finished = finish(state, due)
                self._sending = False
                if self._waiting and active(state):
                    self._send()
                state.condition.notify_all()
                return finished

    def respond(event: Any, state: Any, behaviour: Any, argument_of: Any, deserializer: Any, serializer: Any) -> None:
        cygrpc.install_context_from_request_call_event(event)
        try:
            argument = argument_of()
            if argument is None:
                return
            messages, proceed = call_behaviour(event, state, behaviour, argument, deserializer)
            if not proceed:
                return
            outbox = Outbox(event, state, messages)
            while True:
                message, proceed = take(event, state, outbox)
                if not proceed:
                    return
                if message is None:
                    _server._status(event, state, None)
                    return
                if not outbox.put(message):
                    return
        except Exception:
            traceback.print_exc()
        finally:
            cygrpc.uninstall_context()

    return respond
