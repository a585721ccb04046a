"""Ray actors: one async actor on a cluster of one node; the client is a driver that joins the cluster."""

from __future__ import annotations

import math
import secrets
import signal
import sys
from typing import Any

from loadtest.peers import peer_functions
from loadtest.peers.system import Caller, Client, System, serve_main
from loadtest.server import ROOT

__all__ = ["ENVIRON", "START", "SYSTEM", "start_ray"]

_NAMESPACE = "peers"
_NAME = "functions"

#: No dashboard, no reports home: a cluster as small as it gets. Logical CPUs say how much Ray lets run at once; the
#: process's one real core is shared by them.
START: dict[str, Any] = {
    "include_dashboard": False,
    "num_cpus": 4,
    "object_store_memory": 1 << 30,
    "log_to_driver": False,
    "configure_logging": False,
}


#: Ray listens on the machine's own address whatever one says, so it keeps the door that it has by default: a token,
#: here one of this run alone. Workers import this package: they find it where we are.
ENVIRON = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": str(ROOT),
}


def start_ray(**settings: Any) -> Any:
    """The ray package, connected."""
    import ray

    ray.init(namespace=_NAMESPACE, **settings)
    return ray


def _serve(listen: str) -> None:
    ray = start_ray(**START)

    class Functions:
        async def sqrt(self, number: float) -> float:
            return math.sqrt(number)

        async def record(self, value: dict[str, Any]) -> dict[str, Any]:
            return peer_functions.record(value)

        async def scaled(self, array: Any) -> Any:
            return peer_functions.scaled(array)

        async def burn(self, rounds: int) -> int:
            return peer_functions.burn(rounds)

        async def nap(self, seconds: float) -> float:
            import asyncio

            await asyncio.sleep(seconds)
            return seconds

    actor = ray.remote(Functions).options(name=_NAME, max_concurrency=1000, num_cpus=1).remote()
    ray.get(actor.sqrt.remote(1.0))
    print(f"ray serves on {ray.get_runtime_context().gcs_address}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.pause()


class _Driver:
    """A driver on the same node; object references are awaited."""

    def __init__(self, address: str) -> None:
        self._ray = start_ray(address=address, log_to_driver=False, configure_logging=False)
        self._actor = self._ray.get_actor(_NAME)

    def caller(self) -> Caller:
        actor = self._actor

        async def call(name: str, args: tuple[Any, ...]) -> Any:
            return await getattr(actor, name).remote(*args)

        return call


def _connect(address: str, mode: str) -> Client:
    return _Driver(address)


SYSTEM = System(
    title="Ray actors",
    environment=".venv-peers-ray",
    packages=("ray", "numpy"),
    drives={"call": "tasks"},
    settings=(
        "A cluster of one node without dashboard; one async actor with max_concurrency 1000 (the default), called by a "
        "driver on the same node from asyncio's tasks. Large arrays go through the object store, shared memory of the "
        "node, as Ray has it. All of the cluster's processes share the server's core."
    ),
    serve=_serve,
    connect=_connect,
    start_seconds=60.0,
    environ=ENVIRON,
    alive="ray: maintained",
)

if __name__ == "__main__":
    serve_main(SYSTEM)
