"""Calls of one function that run in one turn: many quick ones of a batch, each a call of its own to the function.

    Batch ──▶ Dispatcher.call_each ──▶ InProcessExecutor.call_each ──▶ Stretch.run: argument, call, result, next …
              admitted once            one turn, guard and scope        until STRETCH_SECONDS have passed

What a quick function costs is its way in: a turn, a guard, a place on the ladder. A stretch pays that once, and is
short enough for others' calls to wait for it. What a caller or a function can see stays each call's own: its id, its
deadline, its failure; the function is called with one argument, and what it returns is read before it is called again.

A call is claimed when it is to begin, not before: where several run at once, one that blocks keeps no other waiting.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from google.rpc.status_pb2 import Status

from callgate.context import CallContext, _current
from callgate.failures import CallFailed, gate_failure
from callgate.v1 import function_service_pb2 as pb
from callgate.values import encode
from callgate_server.call import new_call_id
from callgate_server.executors.run import Run, returned_late
from callgate_server.invocation import Invoker

__all__ = ["STRETCH_SECONDS", "Mapped", "Outcome", "Stretch", "items_of"]

#: How long a stretch may take, seconds: what a quick call (Dispatcher's 1 ms) may, twice.
STRETCH_SECONDS = 0.002

#: How a call ended: a serialized CallFunctionResponse, a failure, or plain results of this call and those after it.
Outcome: TypeAlias = "bytes | Status | list[Any]"

_PACKED = ("double_list", "int_list", "bool_list", "string_list")

#: Results beyond which a string is no small one; arbitrary.
_SHORT = 256
_INT_64 = 1 << 63


def items_of(message: pb.MappedCalls) -> Sequence[Any]:
    """The items of MappedCalls, still in the message: many of them take no more than it does.

    Raises:
        CallFailed: MALFORMED_REQUEST, if they are no list.
    """
    kind = message.items.WhichOneof("kind")
    if kind not in (*_PACKED, "list_value"):
        raise gate_failure("MALFORMED_REQUEST", f"MappedCalls.items is {kind or 'not set'}; a list is right")
    items: Sequence[Any] = getattr(message.items, kind).values
    return items


class Mapped:
    """MappedCalls as the calls that they are.

    Args:
        message: as it came.
        first: the first call's index in its batch.

    Attributes:
        left: the indices of the calls that nobody has claimed, in order; taking one claims it. Any thread may.
        plain: whether the arguments came packed, and are no Values.

    Raises:
        CallFailed: MALFORMED_REQUEST, if its items are no list.
    """

    __slots__ = ("_items", "first", "function", "left", "module", "plain")

    def __init__(self, message: pb.MappedCalls, first: int) -> None:
        self.module = message.module
        self.function = message.function
        self.first = first
        items = items_of(message)
        self.plain = message.items.WhichOneof("kind") in _PACKED
        self._items: Any = list(items) if self.plain else items
        self.left: deque[int] = deque(range(first, first + len(self._items)))

    def __len__(self) -> int:
        return len(self._items)

    def claim(self) -> int | None:
        """Claim a call, to make it now; None if others have claimed all."""
        try:
            return self.left.popleft()
        except IndexError:
            return None

    def argument(self, index: int) -> Any:
        """A call's argument: a Value, or itself if they are `plain`."""
        return self._items[index - self.first]

    def request(self, index: int) -> pb.CallFunctionRequest:
        """A call, written out."""
        request = pb.CallFunctionRequest(module=self.module, function=self.function)
        argument = self.argument(index)
        if self.plain:
            encode(argument, request.args.add())
        else:
            request.args.append(argument)
        return request


class Stretch:
    """Some of a batch's mapped calls, to be run together; used once.

    Invariant: a call's claim is one append to `claimed`, and its end one to `ends`, so that an interruption, which may
    hit any instruction of `run`, leaves no call half ended and none claimed by nobody. At most the last claimed has no
    end.

    Args:
        mapped: what they are from.
        deadline: of the whole batch, `time.monotonic()` seconds; None if never.
        limit: on each call's own time, seconds; None for none.

    Attributes:
        claimed: the calls' indices, rising.
        ends: how they ended: a serialized CallFunctionResponse, a Status, or a plain result as it is.
    """

    __slots__ = ("claimed", "deadline", "ends", "limit", "mapped")

    def __init__(self, mapped: Mapped, deadline: float | None, limit: float | None) -> None:
        self.mapped = mapped
        self.deadline = deadline
        self.limit = limit
        self.claimed: list[int] = []
        self.ends: list[Any] = []

    @property
    def begun(self) -> bool:
        """Whether there is a call that has begun and not ended."""
        return len(self.claimed) > len(self.ends)

    def run(self, run: Run, function: Callable[..., Any], invoker: Invoker) -> None:
        """Make calls in their turn, until none is left or time is up.

        Args:
            run: the turn's.
            function: what to call.
            invoker: decodes, calls and encodes.

        Raises:
            CallInterrupted: if the call that has begun was, or none is to begin any more.
        """
        call, mapped = run.call, self.mapped
        identity, chain, flag = call.context.identity, call.context.chain, call.context.flag
        limit, end, argument = self.limit, self.ends.append, mapped.argument
        # The ladder stops whatever runs then, so no call may count on more; and what has expired never starts.
        deadline = last = call.context.deadline
        now = time.monotonic()
        until = now + STRETCH_SECONDS if last is None else min(now + STRETCH_SECONDS, last)
        read = invoker.converted if mapped.plain else invoker.decoded
        # All of it in C, where an interruption cannot land: what was taken is noted.
        left, claimed = mapped.left, self.claimed
        claim = map(claimed.append, iter(left.popleft, None)).__next__
        while left and not flag.raised:
            try:
                claim()
            except IndexError:  # others were faster
                return
            if limit is not None:
                deadline = now + limit if last is None else min(now + limit, last)
            # The ladder and the turn know the call by these: one that it makes itself must be told that it would wait
            # for its own caller.
            call.context = context = CallContext(new_call_id(), identity, deadline, chain, flag)
            run.key = context.id
            _current.set(context)
            try:
                args, kwargs = read(function, [argument(claimed[-1])], {})
                value = invoker.apply(function, args, kwargs, context)
                now = time.monotonic()
                if deadline is not None and now >= deadline:
                    raise returned_late(context.id)
                kind = type(value)
                # These cannot change any more: they are encoded later, together.
                if (
                    kind is float
                    or kind is bool
                    or (kind is int and -_INT_64 <= value < _INT_64)
                    or (kind is str and len(value) <= _SHORT)
                ):
                    end(value)
                else:
                    end(invoker.encode_result(value, context))
            except CallFailed as failure:
                end(failure.status)
                now = time.monotonic()
            if now >= until:
                return

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """How calls ended, by the first one's index: plain results of calls that follow each other together."""
        for index, row in self._rows():
            for kind, group in groupby(row, type):
                ends = list(group)
                if kind is bytes or kind is Status:
                    yield from enumerate(ends, index)
                else:
                    yield index, ends
                index += len(ends)

    def _rows(self) -> Iterator[tuple[int, list[Any]]]:
        """The ends of calls without one between them that another made, by the first one's index."""
        claimed, ends = self.claimed, self.ends
        start = 0
        if claimed[len(ends) - 1] - claimed[0] != len(ends) - 1:  # else it is one row, as it mostly is
            for at in range(1, len(ends)):
                if claimed[at] != claimed[at - 1] + 1:
                    yield claimed[start], ends[start:at]
                    start = at
        yield claimed[start], ends[start:]
