"""`Gate.map`: an iterable's items through one function, in batches, lazily.

    iterable ─▶ Chunks ─▶ at most READ_AHEAD batches on their way ─▶ results

All of it happens on the thread that iterates, between one result and the next. Only results as they finish
(`ordered=False`) come from several batches at once, each read by a thread of its own: nothing in grpc waits for many.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any

import grpc

from callgate._batches import Failed, no_answer
from callgate._chunks import READ_AHEAD, Chunk, Chunks, MapOptions, ends_map
from callgate.errors import CallgateError

__all__ = ["Items", "Results", "map_calls"]

#: What `map` takes, and what it gives; the asyncio client's are asynchronous.
Items = Iterable[Any]
Results = Generator[Any, None, None]

#: Starts a batch: its bytes, and the seconds it may take. Gives an iterator of answers that can be cancelled.
Open = Callable[[bytes, float | None], Any]
Failure = Callable[[grpc.RpcError], CallgateError]


def map_calls(open_batch: Open, failure: Failure, items: Items, options: MapOptions) -> Results:
    """See Gate.map.

    Args:
        open_batch: starts a batch.
        failure: the exception for a failed RPC.
        items: the iterable.
        options: the rest.

    Yields:
        Results.
    """
    source = _Source(items, options)
    flight = (_InOrder if options.ordered else _AsFinished)(open_batch, failure, source.chunks, options)
    try:
        while True:
            while len(flight) < (1 if source.chunks.slow else READ_AHEAD):
                chunk = source.next()
                if chunk is None:
                    break
                flight.send(chunk)
            if not flight:
                break
            for result in flight.results():
                if type(result) is Failed:
                    if not options.return_exceptions:
                        try:
                            raise result.error
                        finally:
                            del result  # its traceback has this frame
                    yield result.error
                else:
                    yield result
    finally:
        flight.cancel()
    if source.error is not None:
        try:
            raise source.error
        finally:
            del source  # its traceback has this frame


class _Source:
    """The iterable, read a chunk at a time; what it raises is kept until the results before are handed out."""

    def __init__(self, items: Items, options: MapOptions) -> None:
        self._items: Iterator[Any] | None = iter(items)
        self.chunks = Chunks(options)
        self.error: Exception | None = None

    def next(self) -> Chunk | None:
        """Read a chunk; None at the end."""
        if self._items is not None:
            add = self.chunks.add
            try:
                for item in self._items:
                    if add(item):
                        break
                else:
                    self._items = None
            except Exception as error:
                self.error = error
                self._items = None
            if self.chunks.broken:
                self._items = None
        return self.chunks.take()


#: What stands for the RPC of a batch that is still to be sent.
_UNSENT: Any = object()


class _Flight:
    """Batches on their way."""

    def __init__(self, open_batch: Open, failure: Failure, chunks: Chunks, options: MapOptions) -> None:
        self._open = open_batch
        self._failure = failure
        self._chunks = chunks
        self._options = options
        self._batches: deque[tuple[Chunk, Any]] = deque()

    def __len__(self) -> int:
        return len(self._batches)

    def _started(self, chunk: Chunk) -> Any:
        """The RPC; None if nothing is to be sent."""
        return self._open(self._chunks.request(chunk), self._options.seconds()) if chunk.count else None

    def _refused(self, chunk: Chunk, error: CallgateError, began: bool) -> list[Chunk]:
        """What to send instead of a batch that failed: smaller ones if that is what the server wants, else nothing."""
        if not began and self._chunks.size.learn(error, chunk.count, len(self._chunks.request(chunk))):
            return chunk.split(self._chunks.size)
        if ends_map(error, self._options):
            try:
                raise error
            finally:
                del error  # its traceback has this frame
        return []

    def cancel(self) -> None:
        """Cancel what is on its way."""
        for _, rpc in self._batches:
            if rpc is not None and rpc is not _UNSENT:
                rpc.cancel()


class _InOrder(_Flight):
    """Results in the iterable's order: the oldest batch is read, the others' answers wait in gRPC."""

    def send(self, chunk: Chunk) -> None:
        self._batches.append((chunk, self._started(chunk)))

    def results(self) -> Iterator[Any]:
        """The oldest batch's results."""
        chunk, rpc = self._batches[0]
        if rpc is _UNSENT:
            rpc = self._started(chunk)
            self._batches[0] = (chunk, rpc)
        began = False
        error_of_each: Callable[[], Exception] = no_answer
        try:
            for data in rpc or ():
                began = True
                yield from chunk.arrived(data)
        except grpc.RpcError as error:
            failed = error
            again = self._refused(chunk, self._failure(failed), began)
            if again:
                # Not at once, a thousand calls might become a thousand batches: each when it is the oldest.
                self._batches.popleft()
                self._batches.extendleft((piece, _UNSENT) for piece in reversed(again))
                return
            error_of_each = partial(self._failure, failed)
        self._batches.popleft()
        yield from chunk.ended(error_of_each)


class _AsFinished(_Flight):
    """Results as they come: a thread reads each batch, and keeps at most two messages that nobody has taken yet.

    Invariant: a reader only puts; the iterating thread alone touches chunks and the list of batches.
    """

    def __init__(self, open_batch: Open, failure: Failure, chunks: Chunks, options: MapOptions) -> None:
        super().__init__(open_batch, failure, chunks, options)
        self._arrivals: SimpleQueue[tuple[Chunk, bytes | grpc.RpcError | None]] = SimpleQueue()
        self._rooms: dict[Chunk, threading.Semaphore] = {}
        self._left = threading.Event()
        self._began: set[Chunk] = set()
        self._unsent: deque[Chunk] = deque()

    def __len__(self) -> int:
        return len(self._batches) + len(self._unsent)

    def send(self, chunk: Chunk) -> None:
        rpc = self._started(chunk)
        self._batches.append((chunk, rpc))
        if rpc is None:
            self._arrivals.put((chunk, None))
            return
        room = self._rooms[chunk] = threading.Semaphore(2)
        arguments = (chunk, rpc, room, self._left, self._arrivals)
        threading.Thread(target=_read, args=arguments, name="callgate-map", daemon=True).start()

    def results(self) -> Iterator[Any]:
        """What came next, from whichever batch."""
        while self._unsent and len(self._batches) < READ_AHEAD:
            self.send(self._unsent.popleft())
        chunk, arrived = self._arrivals.get()
        if isinstance(arrived, bytes):
            self._began.add(chunk)
            results = chunk.arrived(arrived)
            self._rooms[chunk].release()
            yield from results
            return
        self._rooms.pop(chunk, None)
        self._batches = deque(batch for batch in self._batches if batch[0] is not chunk)
        if arrived is None:
            yield from chunk.ended()
            return
        again = self._refused(chunk, self._failure(arrived), chunk in self._began)
        self._began.discard(chunk)
        self._unsent.extend(again)
        if not again:
            yield from chunk.ended(partial(self._failure, arrived))

    def cancel(self) -> None:
        self._left.set()
        super().cancel()
        for room in self._rooms.values():
            room.release()  # a reader that waits for room, or will, looks whether anybody is left to read for


def _read(
    chunk: Chunk,
    rpc: Any,
    room: threading.Semaphore,
    left: threading.Event,
    arrivals: SimpleQueue[tuple[Chunk, bytes | grpc.RpcError | None]],
) -> None:
    try:
        for data in rpc:
            room.acquire()
            if left.is_set():
                return
            arrivals.put((chunk, data))
    except grpc.RpcError as error:
        arrivals.put((chunk, error))
    else:
        arrivals.put((chunk, None))
