"""The client process: connects through one system's own client, and makes calls as it is told.

    python -m loadtest.peers.caller SYSTEM MODE      runs in that system's environment

Orders are lines of JSON on standard input, answers lines of JSON on standard output:

    (start)                                                              {"ready": true}
    {"connect": ADDRESS}                                                 {"answered": MONOTONIC_SECONDS}
    {"function": NAME, "callers": N, "seconds": S, …}        an Outcome, see driving.Order, or {"error": TEXT}
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from loadtest.peers import driving
from loadtest.peers.cases import CASES, arguments
from loadtest.peers.system import Client, System

__all__ = ["main"]


def _new_loop(system: System) -> asyncio.AbstractEventLoop:
    if system.uvloop:
        import uvloop

        made: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return made
    return asyncio.new_event_loop()


class Session:
    """A connected client and its callers, which are kept from order to order: users keep their connections, too."""

    def __init__(self, system: System, mode: str) -> None:
        self._system, self._mode = system, mode
        self._drive = system.drives[mode]
        self._loop = _new_loop(system) if self._drive == "tasks" else None
        self._client: Client | None = None
        self._callers: list[Callable[..., Any]] = []

    def connect(self, address: str) -> float:
        """Connect and call once; when the answer was there, by the system's monotonic clock."""
        if self._loop:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._connect_in_loop(address))
        else:
            self._client = self._system.connect(address, self._mode)
            self._call("sqrt", 0)()
        return time.monotonic()

    async def _connect_in_loop(self, address: str) -> None:
        self._client = self._system.connect(address, self._mode)
        await self._call_async("sqrt", 0)()

    def run(self, function: str, order: driving.Order) -> driving.Outcome:
        """Measure."""
        if self._loop:
            return self._loop.run_until_complete(self._run_in_loop(function, order))
        self._have(order.callers)
        calls = [self._call(function, index) for index in range(order.callers)]
        return (driving.greenlets if self._drive == "greenlets" else driving.threads)(calls, order)

    async def _run_in_loop(self, function: str, order: driving.Order) -> driving.Outcome:
        calls = [self._call_async(function, index) for index in range(order.callers)]
        return await driving.tasks(calls, order)

    def _have(self, count: int) -> None:
        """Make so many callers, those of threads several at a time: RPyC takes 30 ms a connection, mostly waiting."""
        assert self._client is not None
        missing = count - len(self._callers)
        if missing > 1 and self._drive == "threads":
            client = self._client
            with ThreadPoolExecutor(32) as pool:
                self._callers += pool.map(lambda _: client.caller(), range(missing))
        else:
            self._callers += [self._client.caller() for _ in range(missing)]

    def _caller(self, index: int) -> Callable[..., Any]:
        self._have(index + 1)
        return self._callers[index]

    def _call(self, function: str, index: int) -> Callable[[], None]:
        caller, right, given = self._caller(index), CASES[function].right, arguments(function)

        def call() -> None:
            if not right(caller(function, given)):
                raise RuntimeError("a wrong answer")

        return call

    def _call_async(self, function: str, index: int) -> Callable[[], Any]:
        caller, right, given = self._caller(index), CASES[function].right, arguments(function)

        async def call() -> None:
            if not right(await caller(function, given)):
                raise RuntimeError("a wrong answer")

        return call


def main() -> None:
    """Do as told until standard input ends."""
    # Libraries may print: the protocol keeps the real standard output to itself.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    name, mode = sys.argv[1:]
    system: System = importlib.import_module(f"loadtest.peers.systems.{name}").SYSTEM
    session = Session(system, mode)

    def answer(**fields: Any) -> None:
        print(json.dumps(fields), file=answers, flush=True)

    answer(ready=True)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if "connect" in order:
                answer(answered=session.connect(order["connect"]))
            else:
                function = order.pop("function")
                answer(**asdict(session.run(function, driving.Order(**order))))
        except Exception as error:
            traceback.print_exc()
            answer(error=f"{type(error).__name__}: {error}"[:300])
    os._exit(0)  # whatever threads still wait for answers: nobody does any more


if __name__ == "__main__":
    main()
