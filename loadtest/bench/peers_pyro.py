"""Pyro5 as a peer: a server of math.sqrt, and a client that calls it through a batch proxy. Runs in .venv-peers.

python -m loadtest.bench.peers_pyro serve --listen 127.0.0.1:0     prints "Pyro serves on ADDRESS"
python -m loadtest.bench.peers_pyro load ADDRESS CALLS             prints calls per second
"""

from __future__ import annotations

import argparse
import math
import time

#: Calls in one batch, as `map`'s largest.
_BATCH = 1_000

_NAME = "functions"


def serve(listen: str) -> None:
    """Serve until killed."""
    import Pyro5.api

    @Pyro5.api.expose
    class Functions:
        def sqrt(self, number: float) -> float:
            return math.sqrt(number)

    host, _, port = listen.rpartition(":")
    daemon = Pyro5.api.Daemon(host, int(port))
    daemon.register(Functions(), _NAME)
    print(f"Pyro serves on {daemon.locationStr}", flush=True)
    daemon.requestLoop()


def load(address: str, calls: int) -> float:
    """Make calls; how many a second."""
    import Pyro5.api

    with Pyro5.api.Proxy(f"PYRO:{_NAME}@{address}") as proxy:
        proxy._pyroBind()
        began = time.perf_counter()
        for start in range(0, calls, _BATCH):
            numbers = [float(number) for number in range(start, min(start + _BATCH, calls))]
            batch = Pyro5.api.BatchProxy(proxy)
            for number in numbers:
                batch.sqrt(number)
            if list(batch()) != list(map(math.sqrt, numbers)):
                raise RuntimeError("Pyro answers wrongly")
        took = time.perf_counter() - began
    return calls / took


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve").add_argument("--listen", required=True)
    loading = commands.add_parser("load")
    loading.add_argument("address")
    loading.add_argument("calls", type=int)
    options = parser.parse_args()
    if options.command == "serve":
        serve(options.listen)
    else:
        print(load(options.address, options.calls))


if __name__ == "__main__":
    main()
