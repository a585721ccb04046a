"""The servers that cases run against: started when first needed, shared by the cases that leave them as they were."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import callgate
from loadtest.server import ServerProcess
from tests.conformance.cases import CaseError, Credential, read_yaml
from tests.conformance.credentials import make_credentials

__all__ = ["RunningServer", "Servers"]

FUNCTIONS = Path(__file__).parent / "functions"
SETTINGS = Path(__file__).parent / "servers.yaml"

_EXPOSED = [
    {"functions": ["conformance_events.*"], "executor": "threads"},
    {
        "functions": [
            "math.*", "json.dumps", "json.loads", "builtins.len", "builtins.abs", "builtins.sum",
            "conformance_functions.*",
        ]
    },
]  # fmt: skip


class RunningServer:
    """A server process, and the driver's own connection to it.

    Args:
        settings: its settings, beside what every server has.
        transport: its transport.
        credentials: how the driver reaches it: arguments of `callgate.connect`.
    """

    def __init__(self, settings: Mapping[str, Any], transport: str, credentials: Mapping[str, str]) -> None:
        whole = {
            **settings,
            "transport": transport,
            "path": [str(FUNCTIONS)],
            "expose": [*settings.get("expose", ()), *_EXPOSED],
        }
        self._env = {
            f"CALLGATE_{key.upper()}": value if isinstance(value, str) else json.dumps(value)
            for key, value in whole.items()
        }
        self._credentials = credentials
        self._lock = threading.Lock()
        self._gate: callgate.Gate | None = None
        # A port of our own, which a second process can take again: port 0 would be another each time.
        self.address = f"127.0.0.1:{_free_port()}"
        self._process = self._start()

    def _start(self) -> ServerProcess:
        process = ServerProcess(env={**self._env, "CALLGATE_LISTEN": self.address})
        assert process.address == self.address
        return process

    @property
    def gate(self) -> callgate.Gate:
        """The driver's own connection."""
        with self._lock:
            if self._gate is None:
                self._gate = self.connect()
            return self._gate

    def connect(self) -> callgate.Gate:
        """Another connection of the driver's."""
        return callgate.connect(self.address, wait=20.0, **self._credentials)  # type: ignore[arg-type]  # by name

    def terminate(self) -> None:
        """Send SIGTERM, and wait until new calls are refused; those on their way go on."""
        self._process.process.terminate()
        self._process.wait_for("stopping: calls on their way may end")

    def restart(self) -> None:
        """Stop it, and start another on the same port."""
        self._close_gate()
        self._process.stop()
        self._process = self._start()

    def stop(self) -> None:
        """Stop it."""
        self._close_gate()
        self._process.stop()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._close_gate()
        self._process.stop(9)

    def _close_gate(self) -> None:
        with self._lock:
            if self._gate is not None:
                self._gate.close()
                self._gate = None

    def log(self) -> str:
        """What it wrote to standard error."""
        return self._process.stderr.text()


class Servers:
    """Servers by name; use it in a `with` statement.

    Args:
        folder: an empty folder for certificates and tokens.
        transport: the servers' transport.
    """

    def __init__(self, folder: Path, transport: str = "grpcio") -> None:
        self.credentials = make_credentials(folder)
        self._transport = transport
        self._settings: dict[str, Any] = read_yaml(SETTINGS)
        self._shared: dict[str, RunningServer] = {}

    def names(self) -> set[str]:
        """The names that there are."""
        return set(self._settings)

    def get(self, name: str) -> RunningServer:
        """The shared server of that name."""
        if name not in self._shared:
            self._shared[name] = self.make(name)
        return self._shared[name]

    def make(self, name: str) -> RunningServer:
        """A server of that name for one case alone; who asks stops it."""
        if name not in self._settings:
            raise CaseError(f"there is no server {name!r} in {SETTINGS.name}; there is {', '.join(self._settings)}")
        settings = self.expand(self._settings[name])
        return RunningServer(settings, self._transport, self._reached_with(settings))

    def expand(self, value: Any) -> Any:
        """A value of a case or of servers.yaml with its `!file`s and `!token`s in place."""
        if isinstance(value, Credential):
            if value.name not in self.credentials:
                raise CaseError(f"there is no credential {value.name!r}; there is {', '.join(self.credentials)}")
            return self.credentials[value.name]
        if isinstance(value, dict):
            return {key: self.expand(one) for key, one in value.items()}
        return [self.expand(one) for one in value] if isinstance(value, list) else value

    def _reached_with(self, settings: Mapping[str, Any]) -> dict[str, str]:
        found = {}
        if "tls" in settings:
            found["ca"] = self.credentials["authority"]
            if "client_ca" in settings["tls"]:
                found |= {"certificate": self.credentials["alice certificate"], "key": self.credentials["alice key"]}
        if "auth" in settings:
            found["token"] = self.credentials["alice"]
        return found

    def close(self) -> None:
        """Stop all that are shared."""
        while self._shared:
            self._shared.popitem()[1].stop()

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _free_port() -> int:
    """A port that nobody has, below those that systems give to outgoing connections.

    While a server is away, such a connection could take its port; a client that tries to reach it could even be given
    that very port, and connect to itself.
    """
    ports = random.SystemRandom()
    while True:
        port = ports.randrange(20_000, 32_000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue  # taken
