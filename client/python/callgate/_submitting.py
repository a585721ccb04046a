"""`Gate.submit`: calls of many threads share batches by themselves.

    submit ─▶ queue ─▶ a lane takes what there is ─▶ one batch ─▶ answers resolve their futures as they come
                       at most LANES lanes, each a thread with one batch on its way

A call goes at once, alone if it is, while fewer than EAGER_LANES batches are on their way; what is submitted meanwhile
goes together, with the first lane that is done. A slow call must not hold that up: when the oldest of those that wait
has waited for PATIENCE_SECONDS, another lane takes them, up to LANES. With LANES slow batches on their way later calls
wait for one of them, or until their deadline.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import grpc

from callgate._batches import (
    UNANSWERED,
    BatchSize,
    Failed,
    PlainCall,
    fail_unanswered,
    framed,
    mixed_request,
    no_answer,
    read_answers,
    weight_of,
)
from callgate._futures import SubmittedFuture, release
from callgate._wire import call_request, closed, closed_unsent, no_lane, no_time
from callgate.errors import CallgateError

__all__ = [
    "EAGER_LANES",
    "LANES",
    "MOST_CALLS",
    "PATIENCE_SECONDS",
    "SAME_DEADLINE",
    "CallMaker",
    "Submitted",
    "Submitter",
    "take_batch",
]

#: Batches of submitted calls that one Gate has on their way at once. With a batch every PATIENCE_SECONDS that is 80 ms:
#: calls that take as long are not held up by each other (with 4, 512 calls of 50 ms took up to 420 ms; measured).
LANES = 16

#: So many of them go without waiting. One: with two, 64 threads' calls are spread over smaller batches, and take 6 %
#: longer (measured). asyncio's tasks keep two: resolving their futures wakes no threads, and while the loop reads one
#: batch's answers the server works on the other (64 tasks with a 1 KB dict: 20 to 40 % more calls; measured).
EAGER_LANES = 1

#: How long calls wait for a batch on its way to end before they go in a further one: long beside a batch
#: of quick calls (1 to 3 ms), short beside a slow call.
PATIENCE_SECONDS = 0.005

#: The most calls of one: as `map`'s.
MOST_CALLS = 1024

#: Calls share a batch, and its deadline, the earliest of theirs, when their deadlines lie within this part of the time
#: that is left: so much earlier than asked a call may be cut off. Never later: no call runs after its deadline.
SAME_DEADLINE = 0.02

#: How far into the queue a lane looks for calls with such a deadline; arbitrary, it bounds the search.
_LOOKED_AT = 4 * MOST_CALLS

#: How long a lane without work waits for some before its thread ends; arbitrary, long beside starting one (0.1 ms).
_LINGER_SECONDS = 1.0

#: How often the queue's watch looks in vain before its thread ends; arbitrary: a thread for each batch costs more.
_VAIN_LOOKS = 20

Metadata = tuple[tuple[str, str], ...] | None

#: Starts a batch: its bytes, the seconds it may take, its metadata (None for what every request carries).
Open = Callable[[bytes, float | None, Metadata], Any]


class Submitted:
    """A call that was submitted.

    Attributes:
        call: framed or plain, see _batches.
        deadline: `time.monotonic()` seconds; None for none.
        future: what its caller has.
        since: when it was submitted.
    """

    __slots__ = ("call", "deadline", "future", "since")

    def __init__(self, call: bytes | PlainCall, deadline: float | None, future: Any) -> None:
        self.call = call
        self.deadline = deadline
        self.future = future
        self.since = time.monotonic()


class CallMaker:
    """Makes calls to be submitted; remembers functions' names as they are sent.

    Args:
        max_message: the most bytes of one.
    """

    #: The most functions to remember; arbitrary.
    _MOST = 1000

    def __init__(self, max_message: int) -> None:
        self._max_message = max_message - 16
        self._names: dict[tuple[Any, Any], bytes] = {}

    def make(self, module: Any, function: Any, args: Any, kwargs: Any) -> bytes | PlainCall:
        """A call: a plain one if it may be, else framed.

        Raises:
            Exception: as call_request.
        """
        if not kwargs and type(args) is tuple and len(args) == 1:
            weight = weight_of(args[0])
            if weight and type(module) is str and type(function) is str:
                names = self._names.get((module, function))
                if names is None:
                    names = call_request(module, function, (), {}, self._max_message)
                    if len(self._names) >= self._MOST:
                        self._names.clear()
                    self._names[module, function] = names
                plain = PlainCall(names, args[0], weight)
                if len(plain) <= self._max_message:
                    return plain
        return framed(call_request(module, function, args, {} if kwargs is None else kwargs, self._max_message))


def take_batch(queue: deque[Submitted], size: BatchSize, now: float) -> list[Submitted]:
    """Take from a queue's front what may go in one batch; calls that do not fit keep their order.

    Args:
        queue: what waits, not empty.
        size: how much goes in one.
        now: `time.monotonic()`.
    """
    first = queue.popleft()
    taken, weight = [first], len(first.call)
    skipped: list[Submitted] = []
    tolerance = 0.0 if first.deadline is None else max(0.0, first.deadline - now) * SAME_DEADLINE
    while queue and len(taken) < size.calls and len(skipped) < _LOOKED_AT:
        one = queue.popleft()
        if (one.deadline is None) is not (first.deadline is None) or (
            one.deadline is not None and abs(one.deadline - first.deadline) > tolerance  # type: ignore[operator]  # both are numbers
        ):
            skipped.append(one)
            continue
        weight += len(one.call)
        if weight > size.enough:
            skipped.append(one)
            break
        taken.append(one)
    queue.extendleft(reversed(skipped))
    return taken


class Submitter:
    """Submits calls for one Gate.

    Invariant: `_queue`, `_lanes`, `_idle`, `_watching` and `_closed` change only under `_lock`, and a call is in the
    queue or in one lane's hands, never both: what a lane has taken it resolves, whatever happens. While the queue is
    not empty, a lane without work has been woken, or EAGER_LANES are at work and look at the queue when they are done;
    then the watch, too, looks at it, at the first time at which something is to be done. Futures are resolved
    outside the lock, since that runs their callbacks.

    Args:
        open_batch: starts a batch.
        failure: the exception for a failed RPC.
        max_message: the most bytes of a batch.
    """

    def __init__(self, open_batch: Open, failure: Callable[[grpc.RpcError], CallgateError], max_message: int) -> None:
        self._open = open_batch
        self._failure = failure
        self._size = BatchSize(MOST_CALLS, max_message)
        self._queue: deque[Submitted] = deque()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._sooner = threading.Condition(self._lock)
        self._lanes = 0
        self._idle = 0
        self._watching: float | None = None
        self._closed = False

    def submit(self, call: bytes | PlainCall, deadline: float | None, metadata: Metadata) -> Future[Any]:
        """Submit a call.

        Args:
            call: framed or plain.
            deadline: `time.monotonic()` seconds; None for none.
            metadata: of a call that is made from inside a served one; None for others. Such a call goes alone and at
                once, by a thread of its own: those that hold the lanes may wait for it.
        """
        one = Submitted(call, deadline, SubmittedFuture())
        with self._lock:
            if self._closed:
                raise closed()
            if metadata is not None:
                self._start(self._send, [one], metadata)
                return one.future  # type: ignore[no-any-return]  # made above
            self._queue.append(one)
            if self._lanes - self._idle < EAGER_LANES:
                self._wake()
            else:
                self._watch(one)
        return one.future  # type: ignore[no-any-return]  # made above

    def _wake(self) -> None:
        """Have a lane look at the queue, if one can; under the lock."""
        if self._idle:
            self._work.notify()
        elif self._lanes < LANES:
            self._lanes += 1
            self._start(self._lane)

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, name="callgate-submit", daemon=True).start()

    def _lane(self) -> None:
        while True:
            with self._lock:
                while not self._queue:
                    self._idle += 1
                    woken = self._work.wait(_LINGER_SECONDS)
                    self._idle -= 1
                    if not woken and not self._queue:
                        self._lanes -= 1
                        return
                taken = take_batch(self._queue, self._size, time.monotonic())
                if self._queue:  # not all fitted
                    self._wake()
            self._send(taken, None)

    def _send(self, taken: list[Submitted], metadata: Metadata) -> None:
        # From here on they cannot be cancelled; those that were are never sent.
        running = [one for one in taken if one.future.set_running_or_notify_cancel()]
        if running:
            self._exchange(running, metadata)

    def _exchange(self, running: list[Submitted], metadata: Metadata) -> None:
        """Send a batch and resolve its futures, all of them."""
        slots: list[Any] = [UNANSWERED] * len(running)
        error_of_each: Callable[[], Exception] = no_answer
        try:
            seconds: float | None = None
            if running[0].deadline is not None:
                seconds = min(one.deadline for one in running if one.deadline is not None) - time.monotonic()
            if seconds is not None and seconds <= 0:
                error_of_each = no_time
            else:
                request, order = mixed_request([one.call for one in running])
                if order is not None:
                    running = [running[place] for place in order]
                for data in self._open(request, seconds, metadata):
                    _resolve(running, slots, read_answers(data, slots))
        except grpc.RpcError as error:
            if self._again(error, running, slots, metadata):
                return
            error_of_each = partial(self._failure, error)
        except BaseException as error:  # the Gate was closed, or a fault of ours: nobody else would tell the callers
            error_of_each = partial(_as_exception, error)
        _resolve(running, slots, fail_unanswered(slots, error_of_each))

    def _again(self, error: grpc.RpcError, running: list[Submitted], slots: list[Any], metadata: Metadata) -> bool:
        """Send a batch in smaller ones, if the server refused it as too large: it has started none of its calls."""
        calls = [one.call for one in running]
        if any(slot is not UNANSWERED for slot in slots):
            return False
        if not self._size.learn(self._failure(error), len(calls), len(mixed_request(calls)[0])):
            return False
        left = iter(running)
        for piece in self._size.pieces(calls):
            self._exchange([next(left) for _ in piece], metadata)
        return True

    def _watch(self, one: Submitted) -> None:
        """Have somebody look at the queue when `one` has waited long enough; under the lock."""
        until = one.since + PATIENCE_SECONDS
        if self._lanes - self._idle == LANES:
            if one.deadline is None:
                return  # a lane that is done looks
            until = one.deadline
        if self._watching is None:
            self._watching = until
            self._start(self._watch_queue)
        elif until < self._watching:
            self._watching = until
            self._sooner.notify()

    def _watch_queue(self) -> None:
        """Wake a further lane for calls that have waited, and fail those whose deadline passed, while there are any.

        After _VAIN_LOOKS with nothing to watch its thread ends; what is submitted between two needs no look before the
        second of them.
        """
        vain = 0
        while True:
            with self._lock:
                now = time.monotonic()
                until = self._next_look(now)
                vain = vain + 1 if until is None else 0
                if self._closed or vain > _VAIN_LOOKS:
                    self._watching = None
                    return
                until = now + PATIENCE_SECONDS if until is None else until
                self._watching = until
                if until > now:
                    # Beyond TIMEOUT_MAX locks refuse to wait.
                    self._sooner.wait(min(until - now, threading.TIMEOUT_MAX))
                    continue
                expired = [one for one in self._queue if one.deadline is not None and one.deadline <= now]
                if expired:
                    self._queue = deque(one for one in self._queue if one.deadline is None or one.deadline > now)
            for one in expired:
                if one.future.set_running_or_notify_cancel():
                    one.future.set_exception(no_lane(LANES))

    def _next_look(self, now: float) -> float | None:
        """When something is to be done about the queue that no lane will do; None for never. Under the lock."""
        if not self._queue:
            return None
        looks = [one.deadline for one in self._queue if one.deadline is not None]
        if self._lanes - self._idle < LANES:
            patience = self._queue[0].since + PATIENCE_SECONDS
            if patience > now:
                looks.append(patience)
            else:
                self._wake()
        return min(looks, default=None)

    def close(self) -> None:
        """Fail what waits; what is on its way fails with the channel."""
        with self._lock:
            self._closed = True
            waiting, self._queue = self._queue, deque()
            self._sooner.notify_all()
        for one in waiting:
            if one.future.set_running_or_notify_cancel():
                one.future.set_exception(closed_unsent())


def _resolve(running: list[Submitted], slots: list[Any], arrived: list[int]) -> None:
    held: list[Any] = []
    try:
        for index in arrived:
            outcome = slots[index]
            slots[index] = None
            if type(outcome) is Failed:
                running[index].future.settle(None, outcome.error, held)
            else:
                running[index].future.settle(outcome, None, held)
    finally:  # whatever happens: those whose results are set wait for nothing else
        release(held)


def _as_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__} while the batch was sent")
