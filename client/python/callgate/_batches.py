"""Calls as parts of a batch, and a batch's answers: what `map` and `submit` share, in both clients. No I/O.

A call is serialized once, on its own, and a batch is its calls' bytes one after another: BatchCallFunctionsRequest has
nothing but `repeated CallFunctionRequest calls = 1` (and a timeout), and repeated fields of one message concatenate
(https://protobuf.dev/programming-guides/encoding/#last-one-wins). So sizes are exact before anything is sent, and a
call can move to another batch without being encoded again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from typing import Any, TypeVar

from callgate._wire import response_of
from callgate.errors import CallgateError, Exhausted, ServerFault, ValueDecodeError
from callgate.failures import error_from_status
from callgate.v1 import function_service_pb2 as pb
from callgate.values import decode, encode, framing

__all__ = [
    "UNANSWERED",
    "BatchSize",
    "Failed",
    "PlainCall",
    "batch_request",
    "fail_unanswered",
    "framed",
    "mapped_request",
    "mixed_request",
    "no_answer",
    "read_answers",
    "weight_of",
    "with_call_timeout",
    "written",
]

#: What stands for a call whose answer has not come.
UNANSWERED: Any = object()

#: Where a batch is closed, bytes: large enough for a batch's fixed cost (about 1 ms) to vanish beside moving them,
#: small enough that a few batches weigh nothing in memory. A single call may be larger, up to the message limit.
_ENOUGH_BYTES = 1 << 20

_CALLS = pb.BatchCallFunctionsRequest.CALLS_FIELD_NUMBER
_INT_64 = 1 << 63
#: Strings from here on go by themselves; arbitrary.
_LONG = 1 << 14


class Failed:
    """How a call of a batch ended badly; a wrapper, since a function may return an exception as its value."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def framed(call: bytes) -> bytes:
    """A serialized CallFunctionRequest as it stands in a batch."""
    return framing.framed(_CALLS, call)


def weight_of(item: Any) -> int:
    """How many bytes an argument takes among MappedCalls, at most; 0 if it does not belong there.

    What belongs there is small and cannot change before it is sent: numbers of 64 bits and short strings.
    """
    kind = type(item)
    if kind is float:
        return 8
    if kind is int:
        return 10 if -_INT_64 <= item < _INT_64 else 0
    if kind is str:
        size = len(item)
        # 8: what a Value of its own would take.
        return 0 if size >= _LONG else 8 + (size if item.isascii() else 4 * size)
    return 1 if kind is bool else 0


class PlainCall:
    """A call with one argument by position that can be sent among MappedCalls; not written out yet.

    Its length is what it takes at most, in bytes, as that of a framed call is.

    Args:
        names: a serialized CallFunctionRequest with nothing but the names. MappedCalls has the same two fields.
        item: the argument.
        weight: `weight_of` it.
    """

    __slots__ = ("_weight", "item", "names")

    def __init__(self, names: bytes, item: Any, weight: int) -> None:
        self.names = names
        self.item = item
        self._weight = weight

    def __len__(self) -> int:
        return self._weight + len(self.names) + 16  # 16: more than what frames it


def mapped_request(names: bytes, items: list[Any]) -> bytes:
    """A serialized BatchCallFunctionsRequest of one MappedCalls.

    Args:
        names: as in PlainCall.
        items: the arguments, all of one type.
    """
    message = pb.BatchCallFunctionsRequest()
    mapped = message.mapped.add()
    mapped.MergeFromString(names)
    encode(items, mapped.items, "items")
    return message.SerializeToString()


def written(names: bytes, item: Any) -> bytes:
    """A call with one argument by position, framed."""
    request = pb.CallFunctionRequest()
    encode(item, request.args.add(), "args[0]")
    # Fields in any order, here the names before the arguments, make one message.
    return framed(names + request.SerializeToString())


def mixed_request(calls: Sequence[bytes | PlainCall]) -> tuple[bytes, list[int] | None]:
    """A serialized BatchCallFunctionsRequest of calls that are framed or plain.

    Returns:
        The message, and the place of each of its calls in `calls`; None if that is unchanged.
    """
    first = calls[0]
    if type(first) is PlainCall:  # all alike, most likely
        names, kind = first.names, type(first.item)
        items = [call.item for call in calls if type(call) is PlainCall and call.names is names]
        if len(items) == len(calls) > 1 and all(type(item) is kind for item in items):
            return mapped_request(names, items), None
    parts: list[bytes] = []
    order: list[int] = []
    alike: dict[tuple[bytes, type], list[int]] = {}
    for index, call in enumerate(calls):
        if type(call) is PlainCall:
            alike.setdefault((call.names, type(call.item)), []).append(index)
        else:
            parts.append(call)  # type: ignore[arg-type]  # a framed one
            order.append(index)
    groups: list[tuple[bytes, list[Any], list[int]]] = []
    for (names, _), places in alike.items():
        items = [calls[index].item for index in places]  # type: ignore[union-attr]  # plain ones
        if len(items) > 1:
            groups.append((names, items, places))
        else:
            parts.append(written(names, items[0]))
            order += places
    for names, items, places in groups:  # behind the others, as their indices are
        parts.append(mapped_request(names, items))
        order += places
    return b"".join(parts), order


def batch_request(calls: Iterable[bytes], call_timeout: float | None = None) -> bytes:
    """A serialized BatchCallFunctionsRequest.

    Args:
        calls: framed calls.
        call_timeout: a limit on each, seconds; None for none.
    """
    return with_call_timeout(b"".join(calls), call_timeout)


def with_call_timeout(data: bytes, call_timeout: float | None) -> bytes:
    """A serialized BatchCallFunctionsRequest with a limit on each call, seconds; None for none."""
    if call_timeout is None:
        return data
    tail = pb.BatchCallFunctionsRequest()
    tail.call_timeout.FromNanoseconds(max(1, round(call_timeout * 1e9)))
    return data + tail.SerializeToString()


_Call = TypeVar("_Call", bound=Sized)


class BatchSize:
    """How large a batch may be: what this client sends, and what the server said that it takes.

    Plain numbers that only shrink, each written in one step: threads may share one.

    Attributes:
        calls: the most calls.
        enough: bytes at which a batch is closed.
        limit: the most bytes.
    """

    __slots__ = ("calls", "enough", "limit")

    def __init__(self, calls: int, max_message: int) -> None:
        self.calls = calls
        self.limit = max_message
        self.enough = min(_ENOUGH_BYTES, max_message)

    def learn(self, error: CallgateError, calls: int, size: int) -> bool:
        """Learn from the server's refusal of a batch.

        Args:
            error: how the RPC failed, with no call answered.
            calls: how many calls it had.
            size: how many bytes.

        Returns:
            Whether the batch, of which no call started, can go again in smaller ones.
        """
        if calls < 2 or not isinstance(error, Exhausted):
            return False
        limit = error.metadata.get("limit", "")
        if error.reason != "REQUEST_TOO_LARGE" or not limit.isdecimal():
            return False
        if error.metadata.get("unit") == "calls":
            if not 0 < int(limit) < calls:
                return False
            self.calls = min(self.calls, int(limit))
            return True
        # The size is that of what was sent: else it is an answer that is too large for this client, and calls ran.
        if error.metadata.get("size") == str(size) and size > int(limit) > 0:
            self.limit = min(self.limit, int(limit))
            self.enough = min(self.enough, self.limit)
            return True
        return False

    def pieces(self, calls: Sequence[_Call]) -> list[list[_Call]]:
        """Calls in as many batches as they need by now."""
        made: list[list[_Call]] = []
        size = 0
        for call in calls:
            if not made or len(made[-1]) >= self.calls or size + len(call) > self.limit:
                made.append([])
                size = 0
            made[-1].append(call)
            size += len(call)
        return made


def read_answers(data: bytes, slots: list[Any]) -> list[int]:
    """Put a message's results where they belong.

    Args:
        data: a serialized BatchCallFunctionsResponse.
        slots: the batch's results by index: UNANSWERED, a value, or Failed.

    Returns:
        The indices that were answered.

    Raises:
        ServerFault: if it is no such message, or answers what was not asked.
    """
    arrived: list[int] = []
    count = len(slots)
    response = response_of(pb.BatchCallFunctionsResponse, data)
    for run in response.runs:
        try:
            values = decode(run.values)
        except ValueDecodeError as error:
            raise ServerFault(f"the server's results from call {run.first} on: {error}", code="INTERNAL") from None
        if type(values) is not list:
            raise ServerFault(f"the server's results from call {run.first} on are no list", code="INTERNAL")
        first, end = run.first, run.first + len(values)
        if not 0 <= first <= end <= count or any(slot is not UNANSWERED for slot in slots[first:end]):
            raise _unasked(first, count)
        slots[first:end] = values
        arrived.extend(range(first, end))
    for result in response.results:
        index = result.index
        if not 0 <= index < count or slots[index] is not UNANSWERED:
            raise _unasked(index, count)
        outcome = result.WhichOneof("outcome")
        if outcome == "response":
            try:
                slots[index] = decode(result.response.value)
            except ValueDecodeError as error:
                slots[index] = Failed(error)
        elif outcome == "error":
            slots[index] = Failed(error_from_status(result.error))
        else:
            slots[index] = Failed(no_answer())
        arrived.append(index)
    return arrived


def _unasked(index: int, count: int) -> ServerFault:
    return ServerFault(f"the server answered call {index} of a batch of {count} twice, or unasked", code="INTERNAL")


def fail_unanswered(slots: list[Any], error_of_each: Any) -> list[int]:
    """Fail what a batch's end left without an answer, each with an error of its own.

    Args:
        slots: as in read_answers.
        error_of_each: makes the error.

    Returns:
        The indices that were.
    """
    left = [index for index, slot in enumerate(slots) if slot is UNANSWERED]
    for index in left:
        slots[index] = Failed(error_of_each())
    return left


def no_answer() -> ServerFault:
    """The error of a call that a batch, though it ended well, has no answer to."""
    return ServerFault("the server ended the batch without an answer to this call", code="INTERNAL")
