"""Many calls in one request: each goes its own way through the dispatcher, answers come back packed as they finish.

    handler thread ── lanes by executor ──▶ runners: as many a lane as its executor runs calls at once
                   ◀── results, drained and packed into one message each time there are some ──

Where all calls are for one executor that runs one at a time, the handler's thread runs them itself: nothing is handed
over. Every call is a call like any other (policy, admission, deadline, counts): one that fails, fails alone. Quick
calls that come as MappedCalls are made a stretch at a time.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from google.rpc.status_pb2 import Status

from callgate.failures import CallFailed, gate_failure
from callgate.v1 import function_service_pb2 as pb
from callgate.values import encode
from callgate.values.framing import framed
from callgate_server.call import Caller
from callgate_server.dispatch import Dispatcher
from callgate_server.lane import Lane
from callgate_server.stretch import Mapped, Outcome, Stretch, items_of

__all__ = ["Batch"]

#: A message is sent when it is older than this, or larger than _PACK_BYTES, or when nothing more is ready. Arbitrary:
#: long beside what a message costs, short beside what a caller would notice.
_PACK_SECONDS = 0.001
_PACK_BYTES = 256 << 10

#: A lane begins with so many runners at most; every _HIRE_SECONDS, as many more are started as there are, while calls
#: are left. Quick calls need few threads, calls that wait need one each. Arbitrary: the threads of a large batch of
#: quick calls cost more than the calls; so long a batch of them seldom takes.
_FIRST_RUNNERS = 64
_HIRE_SECONDS = 0.005

_RESULTS = pb.BatchCallFunctionsResponse.RESULTS_FIELD_NUMBER
_RESPONSE = pb.BatchResult.RESPONSE_FIELD_NUMBER

#: How a call ended, or calls from an index on.
Result: TypeAlias = "tuple[int, Outcome]"


class _Member:
    """The caller of one call of a batch: leaves when the batch's caller leaves."""

    __slots__ = ("_batch", "gone")

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self.gone: Callable[[], None] | None = None

    def watch(self, gone: Callable[[], None]) -> bool:
        """As `Caller.watch`; a call may ask again while it waits and when it runs: the last one counts."""
        self.gone = gone
        self._batch.members.add(self)
        return not self._batch.left

    def may_block(self) -> None:
        """A batch has its threads to itself."""

    def runs_here(self) -> None:
        """A batch has its threads to itself."""

    def answer(self, status: Status) -> bool:
        """A member's answer waits for its turn in the pack."""
        return False


class Batch:
    """One batch.

    Args:
        dispatcher: the way to the functions.
        request: the calls.
        identity: who calls.
        deadline: of the whole, `time.monotonic()` seconds; None if never.
        call_timeout: of each call, seconds from its start; None for none.
        chain: ids of the calls that the batch is made from.
        caller: who waits.
        pool: threads for lanes that run several calls at once.
        max_bytes: the largest message to send.
        max_calls: the most calls to take.

    Raises:
        CallFailed: REQUEST_TOO_LARGE, if it has too many calls; MALFORMED_REQUEST, if mapped calls have no list.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        request: pb.BatchCallFunctionsRequest,
        *,
        identity: str,
        deadline: float | None,
        call_timeout: float | None,
        chain: tuple[str, ...],
        caller: Caller,
        pool: ThreadPoolExecutor,
        max_bytes: int,
        max_calls: int,
    ) -> None:
        self._dispatcher = dispatcher
        self._calls = request.calls
        # Counted before anything is made of them: a bool of a packed list takes one byte, and here over a hundred.
        count = len(self._calls) + sum(len(items_of(message)) for message in request.mapped)
        if count > max_calls:
            raise _too_many(count, max_calls)
        self._mapped: list[Mapped] = []
        first = len(self._calls)
        for message in request.mapped:
            self._mapped.append(mapped := Mapped(message, first))
            first += len(mapped)
        self._identity = identity
        self._deadline = deadline
        self._call_timeout = call_timeout
        self._chain = chain
        self._pool = pool
        self._max_bytes = max_bytes
        self.members: set[_Member] = set()
        self.left = not caller.watch(self._caller_left)

    def _caller_left(self) -> None:
        self.left = True
        for member in tuple(self.members):
            gone = member.gone
            if gone is not None:
                gone()

    def messages(self) -> Iterator[bytes]:
        """Serialized BatchCallFunctionsResponses, until every call is answered."""
        lanes = self._lanes()
        if len(lanes) == 1 and lanes[0].runners == 1:
            yield from self._packed(self._results(lanes[0]))
        elif lanes:
            yield from self._packed(self._side_by_side(lanes))

    def _lanes(self) -> list[Lane]:
        """The calls by executor."""
        executors = self._dispatcher.executors
        lanes: dict[str, Lane] = {}

        def lane_of(call: pb.CallFunctionRequest | Mapped) -> Lane:
            exposed = self._dispatcher.registry.find(call.module, call.function)
            name = exposed.executor if exposed is not None else ""  # to be refused: that takes no executor
            lane = lanes.get(name)
            if lane is None:
                lane = lanes[name] = Lane(executors[name].concurrency if name else 1)
            return lane

        for index, call in enumerate(self._calls):
            lane_of(call).add(index)
        for mapped in self._mapped:
            if len(mapped):
                lane_of(mapped).add(mapped)
        if "" in lanes and len(lanes) == 2:  # refusals cost next to nothing: no thread for them
            refused = lanes.pop("")
            next(iter(lanes.values())).add_first(refused)
        return [*lanes.values()]

    def _results(self, lane: Lane) -> Iterator[Result]:
        """Make calls of a lane, until none is left."""
        while not self.left:
            part = lane.take()
            if part is None:
                return
            if isinstance(part, int):
                yield self._run(part, self._calls[part])
                continue
            if self._dispatcher.takes_together(part):
                stretch = Stretch(part, self._deadline, self._call_timeout)
                if self._together(stretch):
                    yield from stretch.outcomes()
                    continue
            index = part.claim()
            if index is not None:
                yield self._run(index, part.request(index))

    def _together(self, stretch: Stretch) -> bool:
        member = _Member(self)
        try:
            return self._dispatcher.call_each(stretch, identity=self._identity, chain=self._chain, caller=member)
        finally:
            self.members.discard(member)

    def _side_by_side(self, lanes: list[Lane]) -> Iterator[Result | None]:
        results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        running = dict.fromkeys(lanes, 0)

        def run(lane: Lane) -> None:
            try:
                for result in self._results(lane):
                    results.put(result)
            finally:
                results.put(None)

        def hire(lane: Lane, count: int) -> None:
            running[lane] += count
            for _ in range(count):
                self._pool.submit(run, lane)

        for lane in lanes:
            hire(lane, min(lane.runners, _FIRST_RUNNERS))
        ended, hire_at = 0, time.monotonic() + _HIRE_SECONDS
        while ended < sum(running.values()):
            timeout = None
            understaffed = [lane for lane in lanes if running[lane] < lane.runners and lane.waiting]
            if understaffed:
                timeout = hire_at - time.monotonic()
                if timeout <= 0:  # also while others' answers keep coming
                    for lane in understaffed:
                        hire(lane, min(lane.runners - running[lane], running[lane]))
                    hire_at = time.monotonic() + _HIRE_SECONDS
                    continue
            try:
                result = results.get(timeout=timeout)
            except queue.Empty:
                continue
            if result is None:
                ended += 1
            else:
                yield result
            if results.empty():
                yield None  # nothing more is ready: what there is may go

    def _run(self, index: int, request: pb.CallFunctionRequest) -> Result:
        deadline = self._deadline
        if self._call_timeout is not None:
            limit = time.monotonic() + self._call_timeout
            deadline = limit if deadline is None else min(limit, deadline)
        member = _Member(self)
        try:
            return index, self._dispatcher.call(
                request, b"", identity=self._identity, deadline=deadline, chain=self._chain, caller=member
            )
        except CallFailed as failure:
            return index, failure.status
        finally:
            self.members.discard(member)

    def _packed(self, results: Iterator[Result | None]) -> Iterator[bytes]:
        parts: list[bytes] = []  # a message's fields, one after another
        size, since = 0, time.monotonic()
        for result in results:
            for index, outcome in () if result is None else _fitting(*result, self._max_bytes - 1024):
                length = _weight(outcome)
                if size and size + length > self._max_bytes - 1024:
                    yield b"".join(parts)
                    parts, size, since = [], 0, time.monotonic()
                parts.append(_written(index, outcome))
                size += length + 16
            if size and (result is None or size > _PACK_BYTES or time.monotonic() - since > _PACK_SECONDS):
                yield b"".join(parts)
                parts, size, since = [], 0, time.monotonic()
        if size:
            yield b"".join(parts)


def _written(index: int, outcome: Outcome) -> bytes:
    """An outcome as a field of BatchCallFunctionsResponse; a result is serialized already, and stays as it is."""
    if isinstance(outcome, list):
        message = pb.BatchCallFunctionsResponse()
        encode(outcome, message.runs.add(first=index).values)
        return message.SerializeToString()
    if isinstance(outcome, bytes):
        place = pb.BatchResult(index=index).SerializeToString()
        return framed(_RESULTS, place + framed(_RESPONSE, outcome))
    return framed(_RESULTS, pb.BatchResult(index=index, error=outcome).SerializeToString())


def _weight(outcome: Outcome) -> int:
    """About how many bytes an outcome takes, and no less."""
    if isinstance(outcome, bytes):
        return len(outcome)
    if isinstance(outcome, Status):
        return int(outcome.ByteSize())
    # Numbers take up to 10 bytes; a string's characters up to 4.
    return sum(4 * len(one) + 8 for one in outcome) if type(outcome[0]) is str else 16 * len(outcome)


def _fitting(index: int, outcome: Outcome, most: int) -> Iterator[Result]:
    """An outcome in parts that fit a message, where it has parts.

    Args:
        index: the first call's.
        outcome: how it ended, or they did.
        most: bytes of one message.
    """
    if isinstance(outcome, list) and len(outcome) > 1 and _weight(outcome) > most:
        middle = len(outcome) // 2
        yield from _fitting(index, outcome[:middle], most)
        yield from _fitting(index + middle, outcome[middle:], most)
    else:
        yield index, outcome


def _too_many(count: int, limit: int) -> CallFailed:
    """The failure of a batch of too many calls."""
    return gate_failure(
        "REQUEST_TOO_LARGE",
        f"the batch has {count} calls; this server takes at most {limit} (limits.batch)",
        {"size": str(count), "limit": str(limit), "unit": "calls"},
    )
