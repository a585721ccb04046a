"""Many calls in one request: each goes its own way through the dispatcher, answers come back packed as they finish.

    handler thread ── lanes by executor ──▶ runners: as many a lane as its executor runs calls at once
                   ◀── results, drained and packed into one message each time there are some ──

Where all calls are for one executor that runs one at a time, the handler's thread runs them itself: nothing is handed
over. Every call is a call like any other (policy, admission, deadline, counts): one that fails, fails alone.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from google.rpc.status_pb2 import Status

from callgate.failures import CallFailed, gate_failure
from callgate.v1 import function_service_pb2 as pb
from callgate_server.call import Caller
from callgate_server.dispatch import Dispatcher

__all__ = ["Batch", "batch_too_large"]

#: A message is sent when it is older than this, or larger than _PACK_BYTES, or when nothing more is ready. Arbitrary:
#: long beside what a message costs, short beside what a caller would notice.
_PACK_SECONDS = 0.005
_PACK_BYTES = 256 << 10

Result = tuple[int, bytes | Status]


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

    def answer(self, status: Status) -> bool:
        """A member's answer waits for its turn in the pack."""
        return False


class Batch:
    """One batch.

    Args:
        dispatcher: the way to the functions.
        calls: the calls.
        identity: who calls.
        deadline: of the whole, `time.monotonic()` seconds; None if never.
        call_timeout: of each call, seconds from its start; None for none.
        chain: ids of the calls that the batch is made from.
        caller: who waits.
        pool: threads for lanes that run several calls at once.
        max_bytes: the largest message to send.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        calls: Sequence[pb.CallFunctionRequest],
        *,
        identity: str,
        deadline: float | None,
        call_timeout: float | None,
        chain: tuple[str, ...],
        caller: Caller,
        pool: ThreadPoolExecutor,
        max_bytes: int,
    ) -> None:
        self._dispatcher = dispatcher
        self._calls = calls
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
        if len(lanes) == 1 and lanes[0][1] == 1:
            yield from self._packed(self._one_by_one(lanes[0][0]))
        elif lanes:
            yield from self._packed(self._side_by_side(lanes))

    def _lanes(self) -> list[tuple[deque[int], int]]:
        """The calls' indices by executor, and how many of each to run at once."""
        lanes: dict[str, deque[int]] = {}
        concurrency: dict[str, int] = {}
        for index, call in enumerate(self._calls):
            exposed = self._dispatcher.registry.find(call.module, call.function)
            name = exposed.executor if exposed is not None else ""  # to be refused: that takes no executor
            lane = lanes.get(name)
            if lane is None:
                lane = lanes[name] = deque()
                concurrency[name] = self._dispatcher.executors[name].concurrency if name else 1
            lane.append(index)
        if "" in lanes and len(lanes) == 2:  # refusals cost next to nothing: no thread for them
            refused = lanes.pop("")
            next(iter(lanes.values())).extendleft(refused)
        return [(lane, min(concurrency[name], len(lane))) for name, lane in lanes.items()]

    def _one_by_one(self, lane: deque[int]) -> Iterator[Result | None]:
        while lane and not self.left:
            yield self._run(lane.popleft())

    def _side_by_side(self, lanes: list[tuple[deque[int], int]]) -> Iterator[Result | None]:
        results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        runners = sum(count for _, count in lanes)
        awaited = runners

        def run(lane: deque[int]) -> None:
            try:
                while not self.left:
                    try:
                        index = lane.popleft()  # atomic: each call is taken once
                    except IndexError:
                        return
                    results.put(self._run(index))
            finally:
                results.put(None)

        for lane, count in lanes:
            for _ in range(count):
                self._pool.submit(run, lane)
        while awaited:
            result = results.get()
            if result is None:
                awaited -= 1
            else:
                yield result
            if results.empty():
                yield None  # nothing more is ready: what there is may go

    def _run(self, index: int) -> Result:
        request = self._calls[index]
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
        message = pb.BatchCallFunctionsResponse()
        size, since = 0, time.monotonic()
        for result in results:
            if result is not None:
                index, outcome = result
                length = len(outcome) if isinstance(outcome, bytes) else outcome.ByteSize()
                if size and size + length > self._max_bytes - 1024:
                    yield message.SerializeToString()
                    message, size, since = pb.BatchCallFunctionsResponse(), 0, time.monotonic()
                packed = message.results.add()
                packed.index = index
                if isinstance(outcome, bytes):
                    packed.response.ParseFromString(outcome)
                else:
                    packed.error.CopyFrom(outcome)
                size += length + 16
            if size and (result is None or size > _PACK_BYTES or time.monotonic() - since > _PACK_SECONDS):
                yield message.SerializeToString()
                message, size, since = pb.BatchCallFunctionsResponse(), 0, time.monotonic()
        if size:
            yield message.SerializeToString()


def batch_too_large(count: int, limit: int) -> CallFailed:
    """The failure of a batch of too many calls."""
    return gate_failure(
        "REQUEST_TOO_LARGE",
        f"the batch has {count} calls; this server takes at most {limit} (limits.batch)",
        {"size": str(count), "limit": str(limit), "unit": "calls"},
    )
