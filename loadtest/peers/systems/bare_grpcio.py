"""A bare grpcio handler: `grpc.server` on a thread pool, one method a function, as gRPC's Python quick start has it."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from loadtest.peers import peer_functions
from loadtest.peers.plain_codec import SERVICE, decoders, encoders
from loadtest.peers.system import Caller, Client, System, serve_main

__all__ = ["OPTIONS", "SYSTEM"]

#: The quick start has 10, and a handler that sleeps holds its thread: as many as there are callers at most.
THREADS = 512

#: Room for a 1 MiB array is there by default (4 MiB).
OPTIONS: tuple[tuple[str, Any], ...] = (("grpc.so_reuseport", 0),)

_FUNCTIONS = {
    "sqrt": math.sqrt,
    "record": peer_functions.record,
    "scaled": peer_functions.scaled,
    "burn": peer_functions.burn,
    "nap": peer_functions.nap,
}


def _serve(listen: str) -> None:
    import grpc

    server = grpc.server(ThreadPoolExecutor(THREADS), options=OPTIONS)
    encode, decode = encoders(), decoders()

    def handler(name: str) -> Any:
        function: Any = _FUNCTIONS[name]
        return grpc.unary_unary_rpc_method_handler(
            lambda value, context: function(value), request_deserializer=decode[name], response_serializer=encode[name]
        )

    server.add_registered_method_handlers(SERVICE, {name: handler(name) for name in _FUNCTIONS})
    port = server.add_insecure_port(listen)
    server.start()
    print(f"bare grpcio serves on {listen.rpartition(':')[0]}:{port}", flush=True)
    server.wait_for_termination()


class _Stubs:
    """One channel, which all threads share, as gRPC's performance guide says."""

    def __init__(self, address: str) -> None:
        import grpc

        channel: Any = grpc.insecure_channel(address)
        encode, decode = encoders(), decoders()
        self._stubs = {
            name: channel.unary_unary(
                f"/{SERVICE}/{name}", encode[name], decode[name], _registered_method=True
            )
            for name in _FUNCTIONS
        }  # fmt: skip

    def caller(self) -> Caller:
        stubs = self._stubs
        return lambda name, args: stubs[name](args[0], wait_for_ready=True)


def _connect(address: str, mode: str) -> Client:
    return _Stubs(address)


SYSTEM = System(
    title="bare grpcio",
    environment=".venv-peers",
    packages=("grpcio", "protobuf", "numpy"),
    drives={"call": "threads"},
    settings=(
        f"grpc.server on a ThreadPoolExecutor of {THREADS} (the quick start's 10 would hold 512 callers of a sleep to "
        "200 a second), registered methods, a schema of its own for each function (plain_codec.py). Client: one "
        "channel for all threads."
    ),
    serve=_serve,
    connect=_connect,
    alive="grpcio: maintained, releases every six weeks",
)

if __name__ == "__main__":
    serve_main(SYSTEM)
