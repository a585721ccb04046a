"""What the steps of one case share: the server, the runner, the names of its own run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import callgate
from tests.conformance.cases import Address, CaseError, Event
from tests.conformance.fake_server import FakeServer
from tests.conformance.matching import hex_of
from tests.conformance.proxy import Proxy
from tests.conformance.servers import RunningServer

if TYPE_CHECKING:
    from tests.conformance.play import Player

__all__ = ["PATIENCE", "Scene", "Unsupported"]

#: How long the driver waits for an event that must come, seconds.
PATIENCE = 20.0

_runs = itertools.count(1)


class Unsupported(Exception):
    """The client does not offer this."""


class Scene:
    """One case on its way.

    Args:
        player: whose runner plays it.
        server: what it is played against.
        proxy: what stands between, if anything does.
        stack: closes at its end what the case opens.
    """

    def __init__(
        self, player: Player, server: RunningServer | FakeServer, proxy: Proxy | None, stack: ExitStack
    ) -> None:
        self.player = player
        self.server = server
        self.proxy = proxy
        #: Where the client under test connects.
        self.target = proxy.address if proxy is not None else server.address
        self.run = next(_runs)
        self.stack = stack
        self.background: dict[str, tuple[callgate.Gate, Future[Any]]] = {}

    @property
    def real(self) -> RunningServer:
        """The server, if it is one with functions."""
        if not isinstance(self.server, RunningServer):
            raise CaseError("a fake server has no functions to observe")
        return self.server

    def arguments(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """A step's arguments, as they cross to a runner."""
        return {
            "args": [hex_of(self.expand(value)) for value in options.get("args", ())],
            "kwargs": {name: hex_of(self.expand(value)) for name, value in options.get("kwargs", {}).items()},
        }

    def expand(self, value: Any) -> Any:
        """A value with its events' and the server's names in place."""
        if isinstance(value, Event):
            return self.event(value.name)
        if isinstance(value, Address):
            return self.server.address
        if isinstance(value, dict):
            return {key: self.expand(one) for key, one in value.items()}
        return [self.expand(one) for one in value] if isinstance(value, list) else value

    def event(self, name: str) -> str:
        """An event's name on the server: the case's own run's."""
        return f"{self.run}: {name}"

    def wait_for(self, event: str, seconds: float = PATIENCE) -> Iterator[str]:
        """Wait until a function signals; what is wrong if none does."""
        if not self.real.gate.call("conformance_events", "wait", self.event(event), seconds):
            yield f"the server's side never signalled {event!r} within {seconds:g} s"
