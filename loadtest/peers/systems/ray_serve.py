"""Ray Serve's gRPC: its proxy in front of one replica, a schema of its own for each function."""

from __future__ import annotations

import math
import signal
import socket
import sys
from typing import Any

from loadtest.peers import peer_functions
from loadtest.peers.plain_codec import SERVICE, decoders, encoders
from loadtest.peers.system import Caller, Client, System, serve_main
from loadtest.peers.systems.ray_actors import ENVIRON, START, start_ray

__all__ = ["SYSTEM", "add_to_server"]

_NAMES = ("sqrt", "record", "scaled", "burn", "nap")


def add_to_server(servicer: Any, server: Any) -> None:
    """What protoc would generate as add_FunctionsServicer_to_server; Ray Serve takes it by its import path.

    Requests and responses stay bytes here: the replica decodes and encodes them, as it does with messages.
    """
    import grpc

    handlers: Any = {name: grpc.unary_unary_rpc_method_handler(getattr(servicer, name)) for name in _NAMES}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


def _serve(listen: str) -> None:
    start_ray(**START)
    from ray import serve
    from ray.serve.config import HTTPOptions, gRPCOptions

    host, _, port = listen.rpartition(":")
    port = port if port != "0" else str(_free_port(host))
    path = "loadtest.peers.systems.ray_serve.add_to_server"
    serve.start(
        # Proxies come with an HTTP port whether one wants it or not.
        http_options=HTTPOptions(host=host, port=_free_port(host)),
        grpc_options=gRPCOptions(port=int(port), grpc_servicer_functions=[path]),
    )
    serve.run(_application(serve), name="functions")
    print(f"ray serve serves on {host}:{port}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.pause()


def _free_port(host: str) -> int:
    """Ray Serve wants to be told: a port that is free now most likely stays so for a moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _application(serve: Any) -> Any:
    class Message(bytes):
        """A response: Ray Serve calls SerializeToString on what a replica returns."""

        def SerializeToString(self) -> bytes:
            return bytes(self)

    class Functions:
        def __init__(self) -> None:
            self._encode, self._decode = encoders(), decoders()

        def _answer(self, name: str, function: Any, data: bytes) -> Message:
            return Message(self._encode[name](function(self._decode[name](data))))

        async def sqrt(self, data: bytes) -> Message:
            return self._answer("sqrt", math.sqrt, data)

        async def record(self, data: bytes) -> Message:
            return self._answer("record", peer_functions.record, data)

        async def scaled(self, data: bytes) -> Message:
            return self._answer("scaled", peer_functions.scaled, data)

        async def burn(self, data: bytes) -> Message:
            return self._answer("burn", peer_functions.burn, data)

        async def nap(self, data: bytes) -> Message:
            import asyncio

            seconds = self._decode["nap"](data)
            await asyncio.sleep(seconds)
            return Message(self._encode["nap"](seconds))

    return serve.deployment(Functions).options(max_ongoing_requests=1000).bind()


class _Stubs:
    """One channel, which all tasks share."""

    def __init__(self, address: str) -> None:
        import grpc.aio

        channel: Any = grpc.aio.insecure_channel(address)
        encode, decode = encoders(), decoders()
        self._stubs = {
            name: channel.unary_unary(f"/{SERVICE}/{name}", encode[name], decode[name], _registered_method=True)
            for name in _NAMES
        }

    def caller(self) -> Caller:
        stubs = self._stubs

        async def call(name: str, args: tuple[Any, ...]) -> Any:
            return await stubs[name](args[0], wait_for_ready=True, metadata=(("application", "functions"),))

        return call


def _connect(address: str, mode: str) -> Client:
    return _Stubs(address)


SYSTEM = System(
    title="Ray Serve gRPC",
    environment=".venv-peers-ray",
    packages=("ray", "grpcio", "protobuf", "uvloop", "numpy"),
    drives={"call": "tasks"},
    settings=(
        "Ray Serve with its gRPC proxy and one replica, max_ongoing_requests 1000 (the default of 5 would hold callers "
        "of a sleep up), no dashboard. All of the cluster's processes share the server's core. Client: "
        "one grpc.aio channel for all tasks, on uvloop."
    ),
    serve=_serve,
    connect=_connect,
    start_seconds=90.0,
    uvloop=True,
    environ=ENVIRON,
    alive="ray: maintained",
)

if __name__ == "__main__":
    serve_main(SYSTEM)
