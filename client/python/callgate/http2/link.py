"""One connection of the synchronous client: threads share it, and who waits for an answer reads for all.

    begin ─▶ the Session ─▶ the socket
    wait  ─▶ read, if nobody does ─▶ events ─▶ whose they are; the first of those that sleep reads on
          └▶ else sleep until the answer came, or until it is one's turn to read

There is no thread of its own: a single caller sends and receives on its own thread, and hands nothing over.

Invariant: the Session, who waits and who reads change under the lock. At most one thread reads, and one always does
while others sleep: who stops reading wakes the first that sleeps, under the same lock that told it to sleep.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from callgate.http2.failure import RpcFailed, lost
from callgate.http2.kinds import CANCEL, GOAWAY, MESSAGE, Event, Pairs
from callgate.http2.session import ProtocolError, Session, wait
from callgate.http2.wires import Wire

__all__ = ["Link", "TimePassed", "Waiter"]


class TimePassed(Exception):  # noqa: N818 -- no error: what it becomes is the channel's business
    """The time to wait is over."""


class Waiter:
    """One RPC, and its events until somebody takes them."""

    __slots__ = ("asleep", "events", "stream")

    def __init__(self) -> None:
        self.stream = 0
        self.events: deque[Event] = deque()
        #: Held by its thread while it sleeps.
        self.asleep: threading.Lock | None = None


class Link:
    """A connection.

    Args:
        sock: its socket, which does not block.
        wire: makes the wire of the socket and the Session.
        session: its Session.

    Attributes:
        leaving: whether the server takes no new calls here.
        failure: what ended it; None while it goes on.
    """

    def __init__(self, sock: socket.socket, wire: Callable[[Any, Session], Wire], session: Session) -> None:
        self._sock = sock
        self._fd = sock.fileno()
        self._session = session
        self._wire = wire(sock, session)
        self._lock = threading.Lock()
        self._waiting: dict[int, Waiter] = {}
        self._sleeping: dict[Waiter, None] = {}  # in order
        self._reader: Waiter | None = None
        self._writing = False  # whether the socket did not take all
        self._roused = False  # whether that was done, and not noticed yet
        # What ends the reader's poll, where nothing comes from the server that would.
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wakes, False)
        self._why = ""  # it ended
        self.leaving = False
        self.failure: RpcFailed | None = None

    @property
    def usable(self) -> bool:
        """Whether a new call may go here, as far as is known."""
        return not self.leaving and self.failure is None

    def greet(self, until: float) -> None:
        """Wait until the server says that it speaks HTTP/2.

        Args:
            until: when to give up, `time.monotonic()` seconds.

        Raises:
            OSError: if it does not, or hangs up.
        """
        with self._lock:
            self._flush()
        while not self._session.greeted:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            wait(self._fd, self._woken, self._writing, left)
            with self._lock:
                self._read()
                if self.failure is not None:
                    raise OSError(self._why)

    def begin(
        self, waiter: Waiter, path: bytes, timeout: bytes | None, pairs: Pairs, data: bytes, streaming: bool
    ) -> bool:
        """Send a request.

        Args:
            waiter: who waits for its answer.
            path: the method.
            timeout: as the wire has it.
            pairs: its metadata, as the wire has them.
            data: the message.
            streaming: whether several are expected in answer.

        Returns:
            False if it did not begin, since the connection has ended, or is about to.
        """
        with self._lock:
            if self._reader is None:
                self._read()  # it may have ended meanwhile: nobody reads between two calls
            if not self.usable:
                return False
            waiter.stream = self._session.request(path, timeout, pairs, data, streaming)
            self._waiting[waiter.stream] = waiter
            self._flush()
            if self._writing:
                self._rouse()  # who reads is to write, too
            return True

    def wait(self, waiter: Waiter, until: float | None) -> Event:
        """The next event of an RPC.

        Args:
            waiter: whose.
            until: when to give up, `time.monotonic()` seconds; None never.

        Raises:
            RpcFailed: if the connection was lost.
            TimePassed: if there was none in time.
            BaseException: what a signal's handler raised.
        """
        while True:
            with self._lock:
                if waiter.events:
                    return waiter.events.popleft()
                if self.failure is not None:
                    raise self._failed()
                leads = self._reader is None
                if leads:
                    self._reader = waiter
                else:
                    waiter.asleep = threading.Lock()
                    waiter.asleep.acquire()
                    self._sleeping[waiter] = None
            if leads:
                self._lead(waiter, until)
            else:
                self._sleep(waiter, until)

    def _lead(self, waiter: Waiter, until: float | None) -> None:
        try:
            while True:
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise TimePassed
                wait(self._fd, self._woken, self._writing, left)
                with self._lock:
                    if self._roused:
                        self._roused = False
                        os.read(self._woken, 64)
                    self._read()
                    if self._writing or self._session.wants_output:
                        self._flush()
                    if waiter.events or self.failure is not None:
                        return
        finally:
            with self._lock:
                self._reader = None
                if self.failure is not None:
                    self._release()
                self._pass_on()

    def _pass_on(self) -> None:
        """Have the first of those that sleep read."""
        for other in self._sleeping:
            self._wake(other)
            break

    def _rouse(self) -> None:
        """Have who reads look again."""
        if self._reader is not None and not self._roused:
            self._roused = True
            os.write(self._wakes, b"\0")

    def _sleep(self, waiter: Waiter, until: float | None) -> None:
        asleep = waiter.asleep
        assert asleep is not None
        # Beyond TIMEOUT_MAX locks refuse to wait; nobody waits so long.
        left = -1.0 if until is None else min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX)
        woken = False
        try:
            woken = asleep.acquire(timeout=left)
        finally:
            if not woken:
                with self._lock:
                    # It may have been woken in the same instant, to read: then the next one has to.
                    if waiter not in self._sleeping and not waiter.events and self._reader is None:
                        self._pass_on()
                    self._sleeping.pop(waiter, None)
        if not woken and not waiter.events:
            raise TimePassed

    def _wake(self, waiter: Waiter) -> None:
        self._sleeping.pop(waiter, None)
        if waiter.asleep is not None:
            waiter.asleep.release()
            waiter.asleep = None

    def _read(self) -> None:
        """Take what came, and give it to whose it is."""
        if self.failure is not None:
            return
        try:
            events = self._wire.read()
        except (OSError, ProtocolError) as error:
            self._end(str(error))
            return
        if events is None:
            self._end("Socket closed")
            return
        self._deliver(events)
        if self.leaving and not self._waiting:
            self._end("the server ended it")

    def _deliver(self, events: list[Event]) -> None:
        for event in events:
            if event[0] == GOAWAY:
                self.leaving = True
                continue
            waiter = self._waiting.get(event[1])
            if waiter is None:
                continue
            waiter.events.append(event)
            if event[0] != MESSAGE:
                del self._waiting[event[1]]
            if waiter.asleep is not None:
                self._wake(waiter)

    def _flush(self) -> None:
        try:
            self._writing = not self._wire.write()
        except (OSError, ProtocolError) as error:
            self._end(str(error))
            return
        if self._session.pending:
            self._deliver(self._session.receive(b""))
        if not self._session.alive and not self._waiting:
            self._end("the server ended it")

    def _end(self, why: str, failure: RpcFailed | None = None) -> None:
        if self.failure is None:
            self._why = why
            self.failure = failure or lost(why)
            try:
                self._sock.shutdown(socket.SHUT_RDWR)  # who polls it wakes up
            except OSError:
                pass
            self._waiting.clear()
            if self._reader is None:
                self._release()
        for waiter in tuple(self._sleeping):
            self._wake(waiter)

    def _release(self) -> None:
        """Close what it holds; nobody polls it."""
        if self._fd >= 0:
            self._fd = -1
            self._sock.close()
            os.close(self._woken)
            os.close(self._wakes)

    def _failed(self) -> RpcFailed:
        """A failure of this RPC's own, for it to be raised with its own traceback."""
        failure = self.failure
        assert failure is not None
        return RpcFailed(failure.code(), failure.details())

    def consume(self, waiter: Waiter, size: int) -> None:
        """Let the server send so many bytes more on a stream."""
        with self._lock:
            if self.failure is None:
                self._session.consume(waiter.stream, size)
                if self._session.wants_output:
                    self._flush()

    def cancel(self, waiter: Waiter) -> None:
        """End an RPC, on the server too; who waits for it is to be told by who cancels."""
        with self._lock:
            if self._waiting.pop(waiter.stream, None) is not None and self.failure is None:
                self._session.reset(waiter.stream, CANCEL)
                self._flush()

    def push(self, waiter: Waiter, event: Event) -> None:
        """Give an RPC an event that did not come from the server, and wake who waits for it."""
        with self._lock:
            waiter.events.append(event)
            if waiter.asleep is not None:
                self._wake(waiter)
            elif self._reader is waiter:
                self._rouse()

    def close(self, failure: RpcFailed) -> None:
        """End the connection; who waits gets this failure."""
        with self._lock:
            self._end(failure.details(), failure)
