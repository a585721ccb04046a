"""What a system that is compared must say of itself: the one interface of systems/*.py, each with a `SYSTEM`.

    serve    ──▶ a server process prints "… serves on ADDRESS"            (pinned to one core)
    connect  ──▶ a Client, in a caller process: makes `caller()`s, one a   (pinned to another)
                 concurrent caller, that call a function by its name

Modules of systems/ import what they measure inside functions only: whoever orchestrates has none of it installed.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

__all__ = ["Client", "Drive", "System", "serve_main"]

#: What concurrent callers are on the client's side, as the system's users would have them.
Drive = Literal["threads", "tasks", "greenlets"]

#: Calls a function by its name: the answer, or an awaitable of it where callers are tasks.
Caller = Callable[[str, tuple[Any, ...]], Any]


class Client(Protocol):
    """A connected client; made inside the event loop where callers are tasks."""

    def caller(self) -> Caller | Callable[[str, tuple[Any, ...]], Awaitable[Any]]:
        """What one concurrent caller calls through; a connection of its own where users do it so."""
        ...


@dataclass(frozen=True, slots=True)
class System:
    """A system.

    Attributes:
        title: its name for a reader.
        environment: the virtual environment that it runs in, a folder at the top.
        packages: whose versions the results name.
        drives: by client mode, what callers are; most systems have one mode.
        settings: how it is set up and why, for the results.
        serve: serves on "HOST:PORT" until killed; None where `command` does.
        command: what starts the server instead of `serve`, from a variant and a folder for files; for Callgate, whose
            variants are its transports and executors.
        connect: connects to an address, in a mode.
        leaves_out: functions that it cannot serve, with the reason.
        start_seconds: how long its start may take.
        environ: environment variables of its server and of its clients.
        uvloop: whether callers that are tasks run on uvloop.
        alive: the state of the project: its newest release, and what users should know.
    """

    title: str
    environment: str
    packages: tuple[str, ...]
    drives: Mapping[str, Drive]
    settings: str
    connect: Callable[[str, str], Client]
    serve: Callable[[str], None] | None = None
    leaves_out: Mapping[str, str] = field(default_factory=dict)
    start_seconds: float = 30.0
    alive: str = ""
    command: Callable[[str, Path], list[str]] | None = None
    uvloop: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


def serve_main(system: System) -> None:
    """`python -m loadtest.peers.systems.NAME --listen ADDRESS`: serve until killed."""
    parser = argparse.ArgumentParser(description=f"Serve the compared functions through {system.title}.")
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT; port 0 is any free one")
    assert system.serve is not None, f"{system.title} has a command of its own"
    system.serve(parser.parse_args().listen)
