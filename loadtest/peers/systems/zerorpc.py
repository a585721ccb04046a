"""zerorpc: gevent on both sides, ZeroMQ between them."""

from __future__ import annotations

import math
from typing import Any

from loadtest.peers import peer_functions
from loadtest.peers.system import Caller, Client, System, serve_main

__all__ = ["SYSTEM"]


def _serve(listen: str) -> None:
    import gevent
    import numpy
    import zerorpc

    class Functions:
        def sqrt(self, number: float) -> float:
            return math.sqrt(number)

        def record(self, value: dict[str, Any]) -> dict[str, Any]:
            return peer_functions.record(value)

        def scaled(self, data: bytes) -> bytes:
            array: Any = peer_functions.scaled(numpy.frombuffer(data, "float64"))
            return bytes(array.tobytes())

        def burn(self, rounds: int) -> int:
            return peer_functions.burn(rounds)

        def nap(self, seconds: float) -> float:
            gevent.sleep(seconds)  # what a function on gevent calls: time.sleep would hold the process up
            return seconds

    server = zerorpc.Server(Functions(), pool_size=1024)
    host, _, port = listen.rpartition(":")
    if port == "0":
        server.bind(f"tcp://{host}:*")
        bound = server._events._socket.getsockopt_string(_LAST_ENDPOINT).removeprefix("tcp://")
    else:
        server.bind(f"tcp://{listen}")
        bound = listen
    print(f"zerorpc serves on {bound}", flush=True)
    server.run()


#: ZMQ_LAST_ENDPOINT (zmq_getsockopt(3)): where a socket that took any free port listens.
_LAST_ENDPOINT = 32


class _Clients:
    """One client for all greenlets: it multiplexes calls over its socket."""

    def __init__(self, address: str) -> None:
        import zerorpc

        # The default timeout of 30 s holds; without the heartbeat, since a CPU-bound function holds up the server's
        # answers to it, and it would take the server for dead.
        self._client = zerorpc.Client(f"tcp://{address}", heartbeat=None)

    def caller(self) -> Caller:
        import numpy

        client = self._client

        def call(name: str, args: tuple[Any, ...]) -> Any:
            if name == "scaled":
                return numpy.frombuffer(client.scaled(args[0].tobytes()), "float64")
            return getattr(client, name)(*args)

        return call


def _connect(address: str, mode: str) -> Client:
    return _Clients(address)


SYSTEM = System(
    title="zerorpc",
    environment=".venv-peers",
    packages=("zerorpc", "pyzmq", "gevent", "msgpack", "numpy"),
    drives={"call": "greenlets"},
    settings=(
        "zerorpc.Server with pool_size 1024 (the default of 100 would hold callers of a sleep up), functions that wait "
        "by gevent.sleep; one client for all greenlets, without heartbeats, which CPU-bound functions hold up. The "
        "array travels as bytes."
    ),
    serve=_serve,
    connect=_connect,
    alive="zerorpc 0.6.3 is of 2019: no release since; it still runs on Python 3.13",
)

if __name__ == "__main__":
    serve_main(SYSTEM)
