"""Callgate: both transports, each executor, and four ways of calling from Python.

A mode is "TRANSPORT:WAY", the client's transport and how it calls. A variant is "TRANSPORT-EXECUTOR"; the executor
"advised" is what docs/executors.md says, a function at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loadtest.peers.system import Caller, Client, Drive, System
from loadtest.server import ROOT

__all__ = ["EXECUTORS", "SYSTEM", "TRANSPORTS", "settings_of"]

TRANSPORTS = ("grpcio", "native")
EXECUTORS = ("serial", "threads", "coroutines", "interpreters", "processes")

_FOLDER = ROOT / "loadtest/peers"

#: Room for 512 callers, which the defaults (128 calls, 256 waiting) would rightly refuse, and one worker for one core.
_SETTINGS = """\
transport = "{transport}"
path = ["{folder}"]
limits.calls = 1024
executor = "{executor}"
{expose}
[executors.one-at-a-time]
kind = "serial"
queue = 1024

[executors.many]
kind = "threads"
max_workers = 512
queue = 1024

[executors.parallel]
kind = "interpreters"
workers = 1
queue = 1024

[executors.apart]
kind = "processes"
workers = 1
queue = 1024
"""

_NAMES = {"serial": "one-at-a-time", "threads": "many", "interpreters": "parallel", "processes": "apart"}

_ALL = '[[expose]]\nfunctions = ["math.sqrt", "peer_functions.*"]\n'

#: Which functions' modules a variant serves. What is async goes to `coroutines` by itself; numpy releases the GIL, so
#: arrays go to `threads`; CPU-bound work goes to a process of its own, so that quick calls do not wait for it.
_EXPOSED = {
    "advised": """\
[[expose]]
functions = ["math.sqrt", "peer_functions.record", "peer_coroutines.nap"]

[[expose]]
functions = ["peer_functions.scaled"]
executor = "many"

[[expose]]
functions = ["peer_functions.burn"]
executor = "apart"
""",
    "coroutines": '[[expose]]\nfunctions = ["peer_coroutines.*"]\n',
}


def settings_of(variant: str) -> str:
    """A variant's settings file."""
    transport, _, executor = variant.partition("-")
    return _SETTINGS.format(
        transport=transport,
        folder=_FOLDER,
        executor=_NAMES.get(executor, "one-at-a-time"),
        expose=_EXPOSED.get(executor, _ALL),
    )


def command(variant: str, folder: Path) -> list[str]:
    """Starts a variant's server; its settings are written into a folder."""
    file = folder / f"{variant}.toml"
    file.write_text(settings_of(variant), "utf-8")
    return [str(ROOT / ".venv/bin/callgate"), "serve", "--config", str(file)]


#: As many as callers at most; the default of 100 is for clients that share a server.
_IN_FLIGHT = 512


def _module(function: str, mode: str) -> str:
    if mode == "coroutines" or (mode in ("submit", "aio", "aio-call", "advised") and function == "nap"):
        return "peer_coroutines"
    return "math" if function == "sqrt" else "peer_functions"


class _Threads:
    """One Gate, which all threads share."""

    def __init__(self, address: str, mode: str, transport: Any) -> None:
        import callgate

        self._gate = callgate.connect(address, in_flight=_IN_FLIGHT, transport=transport)
        self._mode = mode

    def caller(self) -> Caller:
        gate, mode = self._gate, self._mode
        if mode == "submit":
            return lambda name, args: gate.submit(_module(name, mode), name, *args).result()
        return lambda name, args: gate.call(_module(name, mode), name, *args)


class _Tasks:
    """One asyncio Gate, which all tasks share."""

    def __init__(self, address: str, mode: str, transport: Any) -> None:
        import callgate.aio

        self._gate = callgate.aio.connect(address, in_flight=_IN_FLIGHT, transport=transport)
        self._mode = mode

    def caller(self) -> Caller:
        gate, mode = self._gate, self._mode

        async def submit(name: str, args: tuple[Any, ...]) -> Any:
            return await gate.submit(_module(name, mode), name, *args)

        async def call(name: str, args: tuple[Any, ...]) -> Any:
            return await gate.call(_module(name, mode), name, *args)

        return submit if mode == "aio" else call


def _connect(address: str, mode: str) -> Client:
    import callgate

    callgate.keep_freed_memory()
    transport, _, way = mode.partition(":")
    return (_Tasks if way in ("aio", "aio-call") else _Threads)(address, way, transport)


#: What callers are, by how they call.
_DRIVES: dict[str, Drive] = {
    "call": "threads",
    "coroutines": "threads",
    "advised": "threads",
    "submit": "threads",
    "aio": "tasks",
    "aio-call": "tasks",
}


SYSTEM = System(
    title="Callgate",
    environment=".venv",
    packages=("callgate", "grpcio", "protobuf", "numpy"),
    drives={f"{transport}:{way}": drive for transport in TRANSPORTS for way, drive in _DRIVES.items()},
    settings=(
        "`callgate serve` with the settings that systems/callgate.py holds: the defaults, but for room for 512 callers "
        "(limits.calls, queue, the client's in_flight), one worker for the one core, and 512 threads where threads are "
        "what runs functions. Where no executor is named: serial for sqrt and record, threads for scaled, processes "
        "for burn, coroutines for nap, as docs/executors.md advises. "
        "Clients: one Gate for all callers, over the server's transport; `call` and `submit` from threads and from "
        "asyncio's tasks; "
        "`keep_freed_memory()` as docs/python-client.md advises for large values."
    ),
    connect=_connect,
    command=command,
)
