"""The rules of supervision, without threads or processes: when to start a worker again, when not to run a function, and
when to give up. Times are `time.monotonic()` seconds; a test hands in its own clock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from callgate.failures import gate_failure

__all__ = ["Backoff", "Intensity", "Quarantine"]


class Backoff:
    """How long to wait before a worker is started again: not at all, until starts fail; used by one thread.

    Args:
        first: seconds after the first failed start. Arbitrary: about what a start takes.
        longest: where doubling ends. Arbitrary: short enough for a human who has just repaired the cause.
        attempts: failed starts in a row after which to give up; with the defaults that is half a minute.
    """

    def __init__(self, first: float = 0.1, longest: float = 5.0, attempts: int = 12) -> None:
        self._first = first
        self._longest = longest
        self._attempts = attempts
        self.failures = 0

    def failed(self) -> float | None:
        """A start failed.

        Returns:
            Seconds to wait before the next; None to give up.
        """
        self.failures += 1
        if self.failures >= self._attempts:
            return None
        return min(self._longest, self._first * 2.0 ** (self.failures - 1))

    def succeeded(self) -> None:
        """A start succeeded."""
        self.failures = 0


class Intensity:
    """A limit on crashes in a stretch of time, as in Erlang's supervisors; used under its owner's lock.

    Args:
        crashes: how many are one too many.
        within: in how many seconds.
    """

    def __init__(self, crashes: int, within: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = crashes
        self.within = within
        self._clock = clock
        self._times: deque[float] = deque(maxlen=crashes)

    def crashed(self) -> bool:
        """A worker crashed.

        Returns:
            Whether that is beyond the limit.
        """
        now = self._clock()
        self._times.append(now)
        return len(self._times) == self.limit and now - self._times[0] <= self.within


@dataclass(slots=True)
class _Record:
    crashes: int = 0
    sentence: float = 0.0  # seconds, of the quarantine that it is in or had last
    until: float | None = None  # when it ends; None outside of one
    trial: bool = False  # whether a call runs that decides what comes after


class Quarantine:
    """Keeps functions from running that kill their workers again and again.

    Three crashes in a row put a function in quarantine. When its time is over, one call may run as a trial, and others
    are still refused: if it crashes, the next quarantine is twice as long; if it does not, all is forgotten.

    Invariant: under `_lock`, a function has a record only if its last finished call crashed, and `trial` is true
    exactly while one admitted call of a function that is past its `until` is on its way. Every `admit` is followed by
    one of `crashed`, `passed` and `abandoned`.

    Args:
        crashes: how many in a row.
        first: seconds of the first quarantine. Arbitrary: a retrying client's patience.
        longest: where doubling ends. Arbitrary.
    """

    def __init__(
        self, crashes: int = 3, first: float = 10.0, longest: float = 600.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._crashes = crashes
        self._first = first
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._records: dict[str, _Record] = {}

    @property
    def empty(self) -> bool:
        """Whether no function's last call has crashed."""
        return not self._records

    def refuse(self, function: str) -> None:
        """Refuse a call that would be refused when its turn comes, too.

        Raises:
            CallFailed: QUARANTINED, with the time after which a retry is welcome.
        """
        if self._records:  # nearly always empty: no lock on the way of every call
            self._check(function, take=False)

    def admit(self, function: str) -> None:
        """A call is about to run.

        Raises:
            CallFailed: QUARANTINED.
        """
        if self._records:
            self._check(function, take=True)

    def _check(self, function: str, *, take: bool) -> None:
        with self._lock:
            record = self._records.get(function)
            if record is None or record.until is None:
                return
            left = record.until - self._clock()
            if left <= 0 and not record.trial:
                record.trial = take
                return
            crashes = record.crashes
        wait = max(left, 1.0)  # a trial is on: a second is arbitrary
        raise gate_failure(
            "QUARANTINED",
            f"{function} crashed its last {crashes} workers, and is not run for now; this call never started",
            {"function": function, "crashes": str(crashes)},
            retry_after=wait,
        )

    def crashed(self, function: str) -> float | None:
        """An admitted call killed its worker.

        Returns:
            Seconds of quarantine if that is its consequence.
        """
        with self._lock:
            record = self._records.setdefault(function, _Record())
            record.crashes += 1
            if record.crashes < self._crashes or (record.until is not None and not record.trial):
                # Few so far, or one of several calls that ran at once: its quarantine has begun already.
                return None
            record.trial = False
            record.sentence = min(self._longest, record.sentence * 2 or self._first)
            record.until = self._clock() + record.sentence
            return record.sentence

    def passed(self, function: str) -> None:
        """An admitted call ended with its worker alive."""
        if not self._records:
            return
        with self._lock:
            record = self._records.get(function)
            if record is not None and (record.until is None or record.trial):
                del self._records[function]

    def abandoned(self, function: str) -> None:
        """An admitted call ended in a way that says nothing: never started, or its worker was killed on purpose."""
        if not self._records:
            return
        with self._lock:
            record = self._records.get(function)
            if record is not None:
                record.trial = False
