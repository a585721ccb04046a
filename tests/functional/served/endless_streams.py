"""Streams without an end, which tell a test in the same process how far they are and whether they were closed."""

import asyncio
import threading
from collections import defaultdict


class Endless:
    """Of one module: `made` counts items, and `closed` has an event for the end, by the function's name."""

    def __init__(self):
        self.made = defaultdict(int)
        self.closed = defaultdict(threading.Event)

    def reset(self):
        self.made.clear()
        self.closed.clear()

    def items(self, name, size):
        try:
            while True:
                self.made[name] += 1
                yield b"x" * size
        finally:
            self.closed[name].set()

    async def items_async(self, name, size):
        try:
            while True:
                self.made[name] += 1
                yield b"x" * size
                await asyncio.sleep(0)
        finally:
            self.closed[name].set()
