"""A fair mutex whose waiters give up at a deadline or when their caller leaves.

`threading.Lock` is not fair and its waiters cannot be woken for another reason; both matter here: calls run in the
order in which they came, and a call whose caller is gone must never start.

Invariant: somebody waits only while all places are taken. Releasing hands the turn to the first waiter directly, under
`_lock`, so that no newcomer can slip in between, and a waiter that gives up looks under the same lock whether the turn
was handed to it at that very moment (then it has the turn, and passes it on).

Who releases may also be its successor's helper: `succeed` hands the turn on without waking who has it now, so that the
helper can begin the successor's work; then it wakes it.
"""

from __future__ import annotations

import enum
import threading
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Outcome", "Turn", "Waiter"]


class Outcome(enum.Enum):
    """How waiting for a turn ended."""

    TAKEN = "taken"
    FULL = "full"
    EXPIRED = "expired"
    LEFT = "left"
    CLOSED = "closed"


class Waiter:
    """One call that waits for a turn, or has it.

    Attributes:
        key: what it is called.
        thread: who waits.
        outcome: how its waiting ended; None while it waits.
        stays: whether it waits on when the turn is closed.
        helped: whether its work may have been begun before it was woken: it does not give up its turn then.
    """

    __slots__ = ("_ready", "helped", "key", "outcome", "stays", "thread")

    def __init__(self, key: str) -> None:
        self.key = key
        self.thread = threading.get_ident()
        self.outcome: Outcome | None = None
        self.stays = False
        self.helped = False
        # A raw lock as a one-shot event: an eighth of threading.Event's cost, and waiting on it takes a timeout.
        self._ready: threading.Lock | None = None

    def block(self) -> threading.Lock:
        ready = self._ready = threading.Lock()
        ready.acquire()
        return ready

    def wake(self) -> None:
        if self._ready is not None:
            self._ready.release()


class Turn:
    """A FIFO mutex over calls.

    Args:
        capacity: how many may have or await a turn at once, in all: 1 holds it, the rest wait.
        places: how many may hold a turn at once; 1 makes it a mutex.
    """

    def __init__(self, capacity: int, places: int = 1) -> None:
        #: Guards the turn; a holder's own bookkeeping may share it, so that a call's end takes one lock, not two.
        self.lock = self._lock = threading.Lock()
        self._capacity = capacity
        self.places = places
        self._holders: set[Waiter] = set()
        self._waiting: deque[Waiter] = deque()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiting)

    @property
    def holding(self) -> int:
        """How many hold a turn now."""
        return len(self._holders)

    @property
    def free(self) -> bool:
        """Whether who came now would have a turn at once."""
        return not self._waiting and len(self._holders) < self.places

    def held_by(self, thread: int, chain: tuple[str, ...]) -> str | None:
        """The key of a holder that runs on `thread` or is in `chain`; None if there is none.

        Only meaningful where places is 1: then waiting for the turn would be waiting for oneself.
        """
        if not self._holders:
            return None
        for holder in tuple(self._holders):
            if holder.thread == thread or holder.key in chain:
                return holder.key
        return None

    def take_free(self, waiter: Waiter) -> bool:
        """Take the turn if it is free and nobody waits; else False, and nothing has happened."""
        with self._lock:
            if self._waiting or self._closed or len(self._holders) >= self.places:
                return False
            self._holders.add(waiter)
            waiter.outcome = Outcome.TAKEN
            return True

    def take(
        self, waiter: Waiter, deadline: float | None, watch: Callable[[Callable[[], None]], bool] | None = None
    ) -> Outcome:
        """Wait for a turn.

        Args:
            waiter: who waits; used once.
            deadline: when to give up, `time.monotonic()` seconds; None never.
            watch: registers a callback for "the caller left" and returns False if it has left already; asked only if
                the turn is not free.

        Returns:
            TAKEN, and the waiter must `release`; otherwise it never had the turn, or has passed it on.
        """
        if deadline is not None and time.monotonic() >= deadline:
            return Outcome.EXPIRED
        with self._lock:
            if self._closed:
                return Outcome.CLOSED
            if len(self._holders) < self.places and not self._waiting:
                self._holders.add(waiter)
                waiter.outcome = Outcome.TAKEN
                return Outcome.TAKEN
            if len(self._waiting) + len(self._holders) >= self._capacity:
                return Outcome.FULL
            ready = waiter.block()
            self._waiting.append(waiter)
        if watch is not None and not watch(lambda: self._withdraw(waiter, Outcome.LEFT)):
            self._withdraw(waiter, Outcome.LEFT)
        # Lock.acquire refuses timeouts beyond TIMEOUT_MAX; nobody waits so long.
        timeout = -1.0 if deadline is None else min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)
        if not ready.acquire(timeout=timeout):
            self._withdraw(waiter, Outcome.EXPIRED)
            if waiter.helped:
                ready.acquire()  # the turn came first; it wakes us when it has done helping
        outcome = waiter.outcome
        assert outcome is not None  # set under the lock before every wake and withdrawal
        if outcome is Outcome.TAKEN:
            # The turn may have come in the same instant as the deadline: what has expired never starts.
            if deadline is not None and not waiter.helped and time.monotonic() >= deadline:
                self.release(waiter)
                return Outcome.EXPIRED
            waiter.thread = threading.get_ident()
        return outcome

    def take_regardless(self, waiter: Waiter) -> None:
        """Wait for a turn as long as it takes, behind who waits already, beyond the capacity, and also when closed.

        For what has to be done in turn and cannot be refused: closing a generator.
        """
        with self._lock:
            if len(self._holders) < self.places and not self._waiting:
                self._holders.add(waiter)
                waiter.outcome = Outcome.TAKEN
                return
            waiter.stays = True
            ready = waiter.block()
            self._waiting.append(waiter)
        ready.acquire()

    def _withdraw(self, waiter: Waiter, outcome: Outcome) -> None:
        with self._lock:
            if waiter.outcome is not None:
                return  # the turn came first, or another reason to leave
            waiter.outcome = outcome
            self._waiting.remove(waiter)
            waiter.wake()

    def release(self, waiter: Waiter) -> None:
        """Give the turn to who waits longest. From any thread: a dedicated thread may finish another's call."""
        with self._lock:
            self.pass_on(waiter)

    def succeed(self, holder: Waiter, fit: Callable[[Waiter], bool]) -> Waiter | None:
        """Hand a holder's turn to who waits longest, who is not woken yet: the caller begins its work, and wakes it.

        Args:
            holder: who has had the turn, and has it no more unless None is returned.
            fit: whether the one that waits longest can be helped; asked under the lock.

        Returns:
            Who has the turn now, `helped`; None if nobody waits, nobody may follow, or it cannot be helped.
        """
        with self._lock:
            if not self._waiting or len(self._holders) > self.places or not fit(self._waiting[0]):
                return None
            first = self._waiting.popleft()
            first.outcome = Outcome.TAKEN
            first.helped = True
            self._holders.discard(holder)
            self._holders.add(first)
            return first

    def pass_on(self, waiter: Waiter) -> None:
        """As `release`, for who has the lock already."""
        self._holders.discard(waiter)
        if self._waiting:
            self._hand_on()

    def _hand_on(self) -> None:
        while self._waiting and len(self._holders) < self.places:
            first = self._waiting.popleft()
            first.outcome = Outcome.TAKEN
            self._holders.add(first)
            first.wake()

    def resize(self, places: int) -> None:
        """Change how many may hold a turn at once; who holds one beyond that keeps it.

        For executors whose workers come and go: with 0 places everybody waits.
        """
        with self._lock:
            self.places = places
            self._hand_on()

    def close(self) -> None:
        """Turn away who waits (CLOSED) and who comes later; who holds a turn keeps it."""
        with self._lock:
            self._closed = True
            turned_away = [waiter for waiter in self._waiting if not waiter.stays]
            self._waiting = deque(waiter for waiter in self._waiting if waiter.stays)
            for waiter in turned_away:
                waiter.outcome = Outcome.CLOSED
                waiter.wake()
