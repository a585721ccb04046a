"""grpc.aio on uvloop: what gRPC's performance guide for Python names first, on the loop that its users add."""

from __future__ import annotations

from typing import Any

from loadtest.peers import peer_coroutines
from loadtest.peers.plain_codec import SERVICE, decoders, encoders
from loadtest.peers.system import Caller, Client, System, serve_main

__all__ = ["SYSTEM"]

_NAMES = ("sqrt", "record", "scaled", "burn", "nap")


def _serve(listen: str) -> None:
    import uvloop

    uvloop.run(_serving(listen))


async def _serving(listen: str) -> None:
    import grpc
    import grpc.aio

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    encode, decode = encoders(), decoders()

    def handler(name: str) -> Any:
        function = getattr(peer_coroutines, name)

        async def handle(value: Any, context: Any) -> Any:
            return await function(value)

        return grpc.unary_unary_rpc_method_handler(
            handle, request_deserializer=decode[name], response_serializer=encode[name]
        )

    handlers: Any = {name: handler(name) for name in _NAMES}
    server.add_registered_method_handlers(SERVICE, handlers)
    port = server.add_insecure_port(listen)
    await server.start()
    print(f"grpc.aio serves on {listen.rpartition(':')[0]}:{port}", flush=True)
    await server.wait_for_termination()


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
            return await stubs[name](args[0], wait_for_ready=True)

        return call


def _connect(address: str, mode: str) -> Client:
    return _Stubs(address)


SYSTEM = System(
    title="grpc.aio, uvloop",
    environment=".venv-peers",
    packages=("grpcio", "protobuf", "uvloop", "numpy"),
    drives={"call": "tasks"},
    settings=(
        "grpc.aio.server on uvloop, async handlers, registered methods, a schema of its own for each function "
        "(plain_codec.py). Client: one grpc.aio channel for all tasks, on uvloop."
    ),
    serve=_serve,
    connect=_connect,
    uvloop=True,
    alive="grpcio, uvloop: maintained",
)

if __name__ == "__main__":
    serve_main(SYSTEM)
