"""Calls of one function that run in one turn: many quick ones of a batch, each a call of its own to the function.

    Batch ──▶ Dispatcher.call_each ──▶ InProcessExecutor.call_each ──▶ Stretch.run: argument, call, result, next …
              admitted once            one turn, guard and scope        until STRETCH_SECONDS have passed

What a quick function costs is its way in: a turn, a guard, a place on the ladder. A stretch pays that once, and is
short enough for others' calls to wait for it. What a caller or a function can see stays each call's own: its id, its
deadline, its failure; the function is called with one argument, and what it returns is read before it is called again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
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

__all__ = ["STRETCH_SECONDS", "Mapped", "Outcome", "Stretch"]

#: How long a stretch may take, seconds: what a quick call (Dispatcher's 1 ms) may, twice.
STRETCH_SECONDS = 0.002

#: How a call ended: a serialized CallFunctionResponse, a failure, or plain results of this call and those after it.
Outcome: TypeAlias = "bytes | Status | list[Any]"

_PACKED = ("double_list", "int_list", "bool_list", "string_list")

#: Results beyond which a string is no small one; arbitrary.
_SHORT = 256
_INT_64 = 1 << 63


class Mapped:
    """MappedCalls as the calls that they are.

    Args:
        message: as it came.
        first: the first call's index in its batch.

    Raises:
        CallFailed: MALFORMED_REQUEST, if its items are no list.
    """

    __slots__ = ("_plain", "_values", "first", "function", "module")

    def __init__(self, message: pb.MappedCalls, first: int) -> None:
        self.module = message.module
        self.function = message.function
        self.first = first
        kind = message.items.WhichOneof("kind")
        self._plain: Any = None
        self._values: Any = None
        if kind in _PACKED:
            self._plain = getattr(message.items, kind).values
        elif kind == "list_value":
            self._values = message.items.list_value.values
        else:
            raise gate_failure("MALFORMED_REQUEST", f"MappedCalls.items is {kind or 'not set'}; a list is right")

    def __len__(self) -> int:
        return len(self._plain if self._plain is not None else self._values)

    def request(self, index: int) -> pb.CallFunctionRequest:
        """One of the calls, written out."""
        request = pb.CallFunctionRequest(module=self.module, function=self.function)
        if self._plain is not None:
            encode(self._plain[index - self.first], request.args.add())
        else:
            request.args.append(self._values[index - self.first])
        return request

    @property
    def plain(self) -> bool:
        """Whether the arguments came packed, and are no Values."""
        return self._plain is not None

    def arguments(self, start: int, stop: int) -> list[Any]:
        """The arguments of some of the calls."""
        items = self._plain if self._plain is not None else self._values
        return list(items[start - self.first : stop - self.first])


class Stretch:
    """Some of a batch's mapped calls, to be run together; used once.

    Invariant: a call's end is one append to `ends`, so that an interruption, which may hit any instruction of `run`,
    leaves no call half ended. The call after the last end may have begun; those after it have not.

    Args:
        mapped: what they are from.
        start: the first's index.
        stop: the index after the last.
        deadline: of the whole batch, `time.monotonic()` seconds; None if never.
        limit: on each call's own time, seconds; None for none.

    Attributes:
        ends: how calls ended, in order: a serialized CallFunctionResponse, a Status, or a plain result as it is.
        begun: whether its turn came.
    """

    __slots__ = ("begun", "deadline", "ends", "limit", "mapped", "start", "stop")

    def __init__(self, mapped: Mapped, start: int, stop: int, deadline: float | None, limit: float | None) -> None:
        self.mapped = mapped
        self.start = start
        self.stop = stop
        self.deadline = deadline
        self.limit = limit
        self.ends: list[Any] = []
        self.begun = False

    @property
    def at(self) -> int:
        """The index of the first call that has not ended."""
        return self.start + len(self.ends)

    def run(self, run: Run, function: Callable[..., Any], invoker: Invoker) -> None:
        """Make the calls in their turn, until the last or until time is up.

        Args:
            run: the turn's.
            function: what to call.
            invoker: decodes, calls and encodes.

        Raises:
            CallInterrupted: if the call at `at` was, or is not to begin.
        """
        self.begun = True
        call = run.call
        identity, chain, flag = call.context.identity, call.context.chain, call.context.flag
        deadline, limit, end = self.deadline, self.limit, self.ends.append
        now = time.monotonic()
        until = now + STRETCH_SECONDS
        read = invoker.converted if self.mapped.plain else invoker.decoded
        for argument in self.mapped.arguments(self.start, self.stop):
            if limit is not None:
                deadline = now + limit if self.deadline is None else min(now + limit, self.deadline)
            # The ladder and the turn know the call by these: one that it makes itself must be told that it would wait
            # for its own caller.
            call.context = context = CallContext(new_call_id(), identity, deadline, chain, flag)
            run.key = context.id
            _current.set(context)
            try:
                args, kwargs = read(function, [argument], {})
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
            if now >= until or flag.raised:
                return

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """How calls ended, by the first one's index: plain results that follow each other together."""
        index = self.start
        for kind, group in groupby(self.ends, type):
            ends = list(group)
            if kind is bytes or kind is Status:
                yield from enumerate(ends, index)
            else:
                yield index, ends
            index += len(ends)
