"""What `map` reads from its iterable, made into batches: how many calls each has, and which results are next. No I/O.

iterable ──▶ Chunks.add … take ──▶ Chunk ──▶ (a client sends it) ──▶ Chunk.arrived, ended, failed ──▶ results
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from callgate._batches import (
    UNANSWERED,
    BatchSize,
    Failed,
    batch_request,
    fail_unanswered,
    framed,
    mapped_request,
    no_answer,
    read_answers,
    weight_of,
    with_call_timeout,
    written,
)
from callgate._wire import call_request, seconds_of, too_large
from callgate.errors import CallgateError, DeadlineExceeded
from callgate.v1 import function_service_pb2 as pb
from callgate.values import encode

__all__ = ["READ_AHEAD", "Arguments", "Chunk", "Chunks", "MapOptions", "ends_map"]

#: Batches on their way at once: one that the server works on, one that waits there, one that is being answered.
READ_AHEAD = 3

#: Without `chunk`, batches begin small, so that the first results come soon, and grow fourfold up to the most. At 1,024
#: a batch's own cost (0.7 ms for both sides) is below 1 µs a call; larger ones measured no faster.
_FIRST_CALLS, _GROWTH, _MOST_CALLS = 16, 4, 1024

#: Without `chunk`, a batch goes after this many seconds, full or not: a slow iterable must not hold up what it gave.
_FILL_SECONDS = 0.005
#: With so much in it, what took the time was encoding, not the iterable. Arbitrary: about 0.1 ms of encoding.
_MUCH_BYTES = 64 << 10


class Arguments:
    """An item of `map` with `unpack` that has keyword arguments, too.

    Args:
        args: the positional ones.
        kwargs: the keyword ones.
    """

    __slots__ = ("args", "kwargs")

    def __init__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs


class MapOptions:
    """What `map` was told, validated.

    Raises:
        TypeError: if an argument is of the wrong type.
        ValueError: if one is out of range.
    """

    __slots__ = ("call_timeout", "chunk", "deadline", "max_message", "names", "ordered", "return_exceptions", "unpack")

    def __init__(
        self,
        module: str,
        function: str,
        *,
        chunk: Any,
        ordered: bool,
        return_exceptions: bool,
        timeout: float | None,
        call_timeout: float | None,
        default_call_timeout: float | None,
        unpack: bool,
        max_message: int,
    ) -> None:
        if chunk is not None:
            if not isinstance(chunk, int) or isinstance(chunk, bool):
                raise TypeError(f"chunk is a number of calls or None, not {type(chunk).__name__}")
            if chunk < 1:
                raise ValueError(f"chunk is {chunk}; 1 or more is right, or None")
        self.names = call_request(module, function, (), {}, max_message)
        self.chunk = chunk
        self.ordered = ordered
        self.return_exceptions = return_exceptions
        seconds = seconds_of(timeout, None)
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.call_timeout = seconds_of(call_timeout, default_call_timeout)
        self.unpack = unpack
        self.max_message = max_message

    def seconds(self) -> float | None:
        """What is left of the whole's timeout."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


class Mapped:
    """Calls of one map that are sent as MappedCalls: arguments of one type, see `weight_of`.

    Args:
        names: as in PlainCall.
    """

    __slots__ = ("items", "names")

    def __init__(self, names: bytes) -> None:
        self.names = names
        self.items: list[Any] = []

    def takes(self, item: Any) -> bool:
        """Whether an item that has a weight belongs among the items, as far as its type goes."""
        return not self.items or type(item) is type(self.items[0])

    def calls(self) -> list[bytes]:
        """The same calls, written out and framed."""
        return [written(self.names, item) for item in self.items]


class Chunk:
    """A batch of one map: calls framed, or failed before they could be sent, in the iterable's order; or mapped ones.

    Attributes:
        count: how many calls are to be sent.
    """

    __slots__ = ("_at", "_ordered", "_places", "_slots", "calls", "count")

    def __init__(self, items: Sequence[bytes | Failed] | Mapped, ordered: bool) -> None:
        self.calls: list[bytes] | Mapped
        #: Results by place, and the place of each call; they differ only where some were not sent.
        self._places: list[Any] | None = None
        if isinstance(items, Mapped):
            self.calls = items
            self.count = len(items.items)
        else:
            self.calls = [item for item in items if type(item) is bytes]
            self.count = len(self.calls)
            if self.count < len(items):
                self._places = list(items)
        self._slots: list[Any] = [UNANSWERED] * self.count
        self._ordered = ordered
        self._at = 0

    def request(self, call_timeout: float | None) -> bytes:
        """The batch as it is sent, with a limit on each call, seconds; None for none."""
        if isinstance(self.calls, Mapped):
            return with_call_timeout(mapped_request(self.calls.names, self.calls.items), call_timeout)
        return batch_request(self.calls, call_timeout)

    def arrived(self, data: bytes) -> list[Any]:
        """A message came; the results that may be handed out now: values, and Failed for the rest."""
        return self._next(read_answers(data, self._slots))

    def ended(self, error_of_each: Callable[[], Exception] = no_answer) -> list[Any]:
        """The batch's RPC ended; what may be handed out now, which is all the rest."""
        return self._next(fail_unanswered(self._slots, error_of_each), last=True)

    def _next(self, arrived: list[int], last: bool = False) -> list[Any]:
        slots = self._slots
        if not self._ordered:
            made = [slots[index] for index in arrived]
            for index in arrived:
                slots[index] = None  # handed out: a batch's results need not stay together in memory
            if last and self._places is not None:
                made += [item for item in self._places if type(item) is Failed]
            return made
        begin = end = self._at
        while end < len(slots) and slots[end] is not UNANSWERED:
            end += 1
        made = slots[begin:end]
        slots[begin:end] = [None] * (end - begin)
        self._at = end
        if self._places is None:
            return made
        return self._with_unsent(made, last)

    def _with_unsent(self, made: list[Any], last: bool) -> list[Any]:
        """The results with those between them that were never sent."""
        results = iter(made)
        merged: list[Any] = []
        taken = 0
        left = len(made)
        assert self._places is not None
        for item in self._places:
            if type(item) is not Failed:
                if not left:
                    break
                left -= 1
                merged.append(next(results))
            else:
                merged.append(item)
            taken += 1
        del self._places[:taken]
        return merged

    def split(self, size: BatchSize) -> list[Chunk]:
        """The same calls in smaller batches; none was answered."""
        calls = self.calls.calls() if isinstance(self.calls, Mapped) else self.calls
        pieces = [Chunk(some, self._ordered) for some in size.pieces(calls)]
        if self._places is not None:  # where calls failed unsent, their places go with the call after them
            rest = list(self._places)
            for number, piece in enumerate(pieces):
                count = piece.count
                taken: list[Any] = []
                while rest and (count or number == len(pieces) - 1):
                    count -= type(rest[0]) is not Failed
                    taken.append(rest.pop(0))
                pieces[number] = Chunk(taken, self._ordered)
        return pieces


class Chunks:
    """Makes a map's chunks; `add` item after item until it says that it is enough, then `take`.

    Args:
        options: what `map` was told.

    Attributes:
        size: how large a chunk may be.
        slow: whether the iterable is slower than this client: then nothing is read ahead, since every item read would
            keep a finished result waiting.
        broken: whether an item could not be sent, and nothing more need be read.
    """

    def __init__(self, options: MapOptions) -> None:
        self._options = options
        self._scratch = pb.CallFunctionRequest()
        self._items: list[bytes | Failed] = []
        self._mapped = Mapped(options.names)
        self._bytes = 0
        self._held: bytes | Failed | None = None
        self._until = 0.0
        self._most = options.chunk or _FIRST_CALLS
        self.size = BatchSize(options.chunk or _MOST_CALLS, options.max_message - 64)  # 64: the batch's own timeout
        self.slow = False
        self.broken = False

    def add(self, item: Any) -> bool:
        """Add a call.

        Args:
            item: its argument; with `unpack`, its arguments.

        Returns:
            Whether the chunk is to be taken now.
        """
        mapped, items = self._mapped.items, self._items
        if not mapped and not items and self._options.chunk is None:
            self._until = time.monotonic() + _FILL_SECONDS
        if not items and not self._options.unpack:
            overhead = len(self._options.names) + 32  # 32: more than what frames the items
            weight = weight_of(item)
            if weight and weight + overhead <= self.size.limit and self._mapped.takes(item):
                if not mapped:
                    self._bytes = overhead
                if self._bytes + weight > self.size.limit:
                    self._held = written(self._options.names, item)
                    return True
                mapped.append(item)
                self._bytes += weight
                return self._enough(len(mapped))
        call: bytes | Failed
        try:
            call = self._encoded(item)
        except Exception as error:  # a user's iterator or conversion may raise what it likes: the item's own failure
            call = Failed(error)
            self.broken = not self._options.return_exceptions
        length = 0 if isinstance(call, Failed) else len(call)
        if mapped:  # this one cannot be among them: all are written out, if that leaves them small enough
            calls = self._mapped.calls()
            size = sum(map(len, calls))
            if size + length > self.size.limit:
                self._held = call
                return True
            items += calls
            self._bytes = size
            self._mapped = Mapped(self._options.names)
        if self._bytes + length > self.size.limit and items:
            self._held = call
            return True
        items.append(call)
        self._bytes += length
        if isinstance(call, Failed):
            return self.broken or len(items) >= self._most
        return self._enough(len(items))

    def _enough(self, count: int) -> bool:
        """Whether what was added is to be taken now."""
        if count >= self._most or self._bytes >= self.size.enough:
            return True
        if self._options.chunk is None and time.monotonic() > self._until:
            self.slow = self._bytes < _MUCH_BYTES
            return True
        return False

    def take(self) -> Chunk | None:
        """The chunk; None if nothing was added."""
        taken: list[bytes | Failed] | Mapped = self._items
        count = len(self._items)
        if self._mapped.items:
            taken, count = self._mapped, len(self._mapped.items)
            self._mapped = Mapped(self._options.names)
        self._items, self._bytes = [], 0
        if self._held is not None:
            self._items.append(self._held)
            self._bytes = 0 if isinstance(self._held, Failed) else len(self._held)
            self._held = None
        if self._options.chunk is None:
            if count >= self._most:
                self.slow = False
                self._most = min(self._most * _GROWTH, self.size.calls)
        else:
            self._most = self.size.calls
        return Chunk(taken, self._options.ordered) if count else None

    def request(self, chunk: Chunk) -> bytes:
        """A chunk as it is sent."""
        return chunk.request(self._options.call_timeout)

    def _encoded(self, item: Any) -> bytes:
        if type(item) is Arguments:
            arguments = call_request("", "", item.args, item.kwargs, self.size.limit)
        else:
            request = self._scratch
            request.Clear()
            if self._options.unpack:
                add = request.args.add
                for index, value in enumerate(item):
                    encode(value, add(), path=f"args[{index}]")
            else:
                encode(item, request.args.add(), path="args[0]")
            arguments = request.SerializeToString()
        # Fields in any order, here the names before the arguments, make one message.
        call = framed(self._options.names + arguments)
        if len(call) > self.size.limit:
            raise too_large(len(call), self.size.limit)
        return call


def ends_map(error: CallgateError, options: MapOptions) -> bool:
    """Whether a batch's failure is the whole map's: its own deadline passed."""
    return options.deadline is not None and isinstance(error, DeadlineExceeded)
