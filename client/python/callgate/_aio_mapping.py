"""`aio.Gate.map`: as _mapping.py, awaited. Results as they finish come through a task for each batch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any

from callgate._aio_line import Line, RpcFailed
from callgate._batches import Failed, no_answer
from callgate._chunks import READ_AHEAD, Chunk, Chunks, MapOptions, ends_map
from callgate.errors import CallgateError

__all__ = ["Items", "Results", "map_calls"]

#: What `map` takes, and what it gives; see _mapping.py.
Items = Iterable[Any] | AsyncIterable[Any]
Results = AsyncGenerator[Any, None]


async def map_calls(line: Line, items: Iterator[Any] | AsyncIterator[Any], options: MapOptions) -> Results:
    """See aio.Gate.map.

    Args:
        line: starts batches.
        items: the iterable's iterator.
        options: the rest.

    Yields:
        Results.
    """
    source = _Source(items, options)
    flight = (_InOrder if options.ordered else _AsFinished)(line, source.chunks, options)
    try:
        while True:
            while len(flight) < (1 if source.chunks.slow else READ_AHEAD):
                chunk = await source.next()
                if chunk is None:
                    break
                flight.send(chunk)
            if not flight:
                break
            for result in await flight.results():
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
        await flight.cancel()
    if source.error is not None:
        try:
            raise source.error
        finally:
            del source  # its traceback has this frame


class _Source:
    """The iterable, read a chunk at a time; what it raises is kept until the results before are handed out."""

    def __init__(self, items: Iterator[Any] | AsyncIterator[Any], options: MapOptions) -> None:
        self._items: Iterator[Any] | AsyncIterator[Any] | None = items
        self.chunks = Chunks(options)
        self.error: Exception | None = None

    async def next(self) -> Chunk | None:
        """Read a chunk; None at the end."""
        if self._items is not None:
            try:
                if not await self._fill(self._items):
                    self._items = None
            except Exception as error:
                self.error = error
                self._items = None
            if self.chunks.broken:
                self._items = None
        return self.chunks.take()

    async def _fill(self, items: Iterator[Any] | AsyncIterator[Any]) -> bool:
        """Read until a chunk is full; False at the end."""
        add = self.chunks.add
        if isinstance(items, AsyncIterator):
            async for item in items:
                if add(item):
                    return True
            return False
        return any(add(item) for item in items)


#: What stands for the RPC of a batch that is still to be sent.
_UNSENT: Any = object()


class _Flight:
    """Batches on their way."""

    def __init__(self, line: Line, chunks: Chunks, options: MapOptions) -> None:
        self._line = line
        self._chunks = chunks
        self._options = options
        self._batches: deque[tuple[Chunk, Any]] = deque()

    def __len__(self) -> int:
        return len(self._batches)

    def _started(self, chunk: Chunk) -> Any:
        return self._line.open_batch(self._chunks.request(chunk), self._options.seconds()) if chunk.count else None

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

    async def cancel(self) -> None:
        """Cancel what is on its way."""
        for _, rpc in self._batches:
            if rpc is not None and rpc is not _UNSENT:
                self._line.drop(rpc)


class _InOrder(_Flight):
    """Results in the iterable's order: the oldest batch is read, the others' answers wait in gRPC."""

    def __init__(self, line: Line, chunks: Chunks, options: MapOptions) -> None:
        super().__init__(line, chunks, options)
        self._began = False

    def send(self, chunk: Chunk) -> None:
        self._batches.append((chunk, self._started(chunk)))

    async def results(self) -> list[Any]:
        """The oldest batch's next results."""
        chunk, rpc = self._batches[0]
        if rpc is _UNSENT:
            rpc = self._started(chunk)
            self._batches[0] = (chunk, rpc)
        error_of_each: Callable[[], Exception] = no_answer
        if rpc is not None:
            try:
                data = await self._line.read(rpc)
            except RpcFailed as failed:
                again = self._refused(chunk, failed.error(), self._began)
                if again:
                    # Not at once, a thousand calls might become a thousand batches: each when it is the oldest.
                    self._batches.popleft()
                    self._batches.extendleft((piece, _UNSENT) for piece in reversed(again))
                    return []
                error_of_each = failed.error
            else:
                if data is not None:
                    self._began = True
                    return chunk.arrived(data)
        self._batches.popleft()
        self._began = False
        return chunk.ended(error_of_each)


class _AsFinished(_Flight):
    """Results as they come: a task reads each batch; the queue's bound holds them back where nobody takes results."""

    def __init__(self, line: Line, chunks: Chunks, options: MapOptions) -> None:
        super().__init__(line, chunks, options)
        self._arrivals: asyncio.Queue[tuple[Chunk, bytes | RpcFailed | None]] = asyncio.Queue(2 * READ_AHEAD)
        self._tasks: dict[Chunk, asyncio.Task[None]] = {}
        self._began: set[Chunk] = set()
        self._unsent: deque[Chunk] = deque()

    def __len__(self) -> int:
        return len(self._batches) + len(self._unsent)

    def send(self, chunk: Chunk) -> None:
        rpc = self._started(chunk)
        self._batches.append((chunk, rpc))
        self._tasks[chunk] = asyncio.create_task(self._read(chunk, rpc), name="callgate-map")

    async def _read(self, chunk: Chunk, rpc: Any) -> None:
        try:
            data: bytes | None = b""
            while data is not None:
                data = None if rpc is None else await self._line.read(rpc)
                await self._arrivals.put((chunk, data))
        except RpcFailed as failed:
            await self._arrivals.put((chunk, failed))

    async def results(self) -> list[Any]:
        """What came next, from whichever batch."""
        while self._unsent and len(self._batches) < READ_AHEAD:
            self.send(self._unsent.popleft())
        chunk, arrived = await self._arrivals.get()
        if isinstance(arrived, bytes):
            self._began.add(chunk)
            return chunk.arrived(arrived)
        del self._tasks[chunk]
        self._batches = deque(batch for batch in self._batches if batch[0] is not chunk)
        if arrived is None:
            return chunk.ended()
        again = self._refused(chunk, arrived.error(), chunk in self._began)
        self._unsent.extend(again)
        return [] if again else chunk.ended(arrived.error)

    async def cancel(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await super().cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
