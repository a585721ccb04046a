"""What is measured: the targets, each a system in one set-up and one way of calling it, and the levels of callers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loadtest.peers.system import System
from loadtest.peers.systems.callgate import EXECUTORS, TRANSPORTS

__all__ = ["LEVELS", "Target", "select", "targets"]

#: Concurrent callers.
LEVELS = (1, 8, 64, 512)

_PEERS = ("bare_grpcio", "grpc_aio", "rpyc", "pyro5", "zerorpc", "ray_actors", "ray_serve")

#: What each way of calling through Callgate is called in the tables.
_WAYS = {
    "submit": "submit, threads",
    "aio": "submit, asyncio",
    "aio-call": "call, asyncio",
    "call": "call, threads",
    "advised": "call, threads",
    "coroutines": "call, threads",
}


@dataclass(frozen=True, slots=True)
class Target:
    """One row of the tables.

    Attributes:
        name: its key, as `--only` takes it.
        title: for a reader.
        module: which of systems/ it is.
        mode: the client's mode.
        variant: the server's, where the system has several.
        group: "callgate" for what is compared with the peers, "executor" for Callgate's own executors, or "peer".
        leaves_out: functions that it cannot serve, with the reason.
        h2load: whether its server speaks gRPC and is loaded by h2load, too.
    """

    name: str
    title: str
    module: str
    mode: str
    group: str
    variant: str = ""
    leaves_out: Mapping[str, str] = field(default_factory=dict)
    h2load: bool = False

    @property
    def system(self) -> System:
        """Its description."""
        system: System = importlib.import_module(f"loadtest.peers.systems.{self.module}").SYSTEM
        return system

    def functions(self, names: Sequence[str]) -> list[str]:
        """Those of the functions that it serves."""
        return [name for name in names if name not in self.leaves_out]


def targets() -> list[Target]:
    """All targets, in the tables' order."""
    made = []
    for transport in reversed(TRANSPORTS):
        # How the ways of calling compare shows on one transport.
        for way in ("aio", "aio-call", "submit", "advised") if transport == "native" else ("aio",):
            title, mode = f"Callgate {transport} ({_WAYS[way]})", f"{transport}:{way}"
            made.append(
                Target(f"callgate-{transport}-{way}", title, "callgate", mode, "callgate", f"{transport}-advised")
            )
    for name in _PEERS:
        system: System = importlib.import_module(f"loadtest.peers.systems.{name}").SYSTEM
        speaks_grpc = name in ("bare_grpcio", "grpc_aio", "ray_serve")
        made.append(Target(name, system.title, name, "call", "peer", leaves_out=system.leaves_out, h2load=speaks_grpc))
    for transport in reversed(TRANSPORTS):
        for executor in EXECUTORS:
            way = "coroutines" if executor == "coroutines" else "call"
            made.append(
                Target(
                    f"callgate-{transport}-{executor}",
                    f"Callgate {transport}, {executor} ({_WAYS[way]})",
                    "callgate",
                    f"{transport}:{way}",
                    "executor",
                    f"{transport}-{executor}",
                    {"scaled": "numpy does not import in sub-interpreters"} if executor == "interpreters" else {},
                    h2load=executor == "serial",
                )
            )
    return made


def select(only: Sequence[str]) -> list[Target]:
    """The targets whose names begin with, or whose system is, one of these; all if there are none.

    Raises:
        ValueError: if one names nothing.
    """
    every = targets()
    for name in only:
        if not any(_named(target, name) for target in every):
            raise ValueError(f"no target {name!r}; there are {', '.join(target.name for target in every)}")
    return [target for target in every if not only or any(_named(target, name) for name in only)]


def _named(target: Target, name: str) -> bool:
    return target.name.startswith(name) or target.module == name
