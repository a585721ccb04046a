"""RPyC 6 as a peer: a server of math.sqrt, and a client that pipelines calls of it. Runs in .venv-peers.

    python -m loadtest.bench.peers_rpyc serve --listen 127.0.0.1:0     prints "rpyc serves on ADDRESS"
    python -m loadtest.bench.peers_rpyc load ADDRESS CALLS             prints calls per second

`async_` calls are sent without waiting, a window of them, then their results taken: the fastest way that RPyC has.
"""

from __future__ import annotations

import argparse
import math
import time

#: Calls sent before the first result is taken; more measured no faster.
_WINDOW = 1_000


def serve(listen: str) -> None:
    """Serve until killed."""
    import rpyc
    from rpyc.utils.server import ThreadedServer

    class Functions(rpyc.Service):  # type: ignore[misc]  # rpyc is in .venv-peers, and untyped
        def exposed_sqrt(self, number: float) -> float:
            return math.sqrt(number)

    host, _, port = listen.rpartition(":")
    server = ThreadedServer(Functions, hostname=host, port=int(port))
    print(f"rpyc serves on {server.host}:{server.port}", flush=True)
    server.start()


def load(address: str, calls: int) -> float:
    """Make calls; how many a second."""
    import rpyc

    host, _, port = address.rpartition(":")
    connection = rpyc.connect(host, int(port))
    sqrt = rpyc.async_(connection.root.sqrt)
    began = time.perf_counter()
    for start in range(0, calls, _WINDOW):
        numbers = [float(number) for number in range(start, min(start + _WINDOW, calls))]
        pending = [sqrt(number) for number in numbers]
        if [one.value for one in pending] != list(map(math.sqrt, numbers)):
            raise RuntimeError("rpyc answers wrongly")
    took = time.perf_counter() - began
    connection.close()
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
