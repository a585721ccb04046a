"""Servers in this process, on port 0, for tests over a real socket.

Servers are shared: creating many in one process leaks inside gRPC (grpc#31509). `serve(...)` with the same settings
gives the same one; a test that breaks its server asks for one of its own with `shared=False`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import callgate
import tests.conftest
from callgate_server.security.tokens import add_token
from callgate_server.server import Server
from callgate_server.settings import Settings
from tests.functional.certificates import Authority, Pair

SERVED = Path(__file__).parent / "served"

sys.path.insert(0, str(SERVED))  # the tests set the events that served functions wait for

#: What most tests call, by its name in short.
FUNCTIONS = "served_functions"


class Servers:
    """Starts servers from settings; `served_functions.*` is exposed unless `expose` says otherwise."""

    def __init__(self) -> None:
        self._shared: dict[str, Server] = {}
        self._own: list[Server] = []

    def __call__(self, *, shared: bool = True, **settings: Any) -> Server:
        """A running server; its `address` is where it listens."""
        key = repr(sorted(settings.items()))
        if shared and key in self._shared:
            return self._shared[key]
        given = {
            "listen": "127.0.0.1:0",
            "transport": tests.conftest.transport,
            "path": (SERVED,),
            "expose": [{"functions": (f"{FUNCTIONS}.*",)}],
            **settings,
        }
        server = Server(Settings(**given))
        server.start()
        if shared:
            self._shared[key] = server
        else:
            self._own.append(server)
        return server

    def stop_own(self) -> None:
        """Stop the servers that are not shared."""
        while self._own:
            self._own.pop().stop(0.0)

    def stop(self) -> None:
        """Stop all."""
        self.stop_own()
        for server in self._shared.values():
            server.stop(0.0)


@pytest.fixture(scope="session")
def _servers() -> Iterator[Servers]:
    for name in [name for name in os.environ if name.startswith("CALLGATE_")]:
        del os.environ[name]
    servers = Servers()
    yield servers
    servers.stop()


@pytest.fixture
def serve(_servers: Servers) -> Iterator[Servers]:
    """Start a server from settings, or share one: `serve(limits={"calls": 4}).address`."""
    yield _servers
    _servers.stop_own()


@pytest.fixture(scope="session")
def address(_servers: Servers) -> str:
    """Where a server with default settings serves `served_functions.*`."""
    return _servers().address


@pytest.fixture(scope="session")
def gate(address: str) -> Iterator[callgate.Gate]:
    """A client of that server."""
    with callgate.connect(address) as made:
        yield made


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("security")


@pytest.fixture(scope="session")
def authority(folder) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="session")
def pair(authority) -> Pair:
    return authority.server()


@pytest.fixture(scope="session")
def tokens(folder) -> dict[str, str]:
    """Tokens by name; the file is tokens.txt."""
    return {name: add_token(folder / "tokens.txt", name) for name in ("alice", "bob")}
