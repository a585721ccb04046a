"""The yardstick of streams: a bare grpcio server whose one handler sends the same 100 bytes again and again.

The pool and the channel options are those of bare_server.py. Run: python -m loadtest.bench.bare_stream_server --listen
ADDRESS. The request is the number of messages, in decimal.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

__all__ = ["ITEM_BYTES", "METHOD", "SERVICE"]

SERVICE = "bench.Streams"
METHOD = "Send"
ITEM_BYTES = 100

_THREADS = 16


def _send(payload: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    item = b"x" * ITEM_BYTES
    for _ in range(int(payload)):
        yield item


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", required=True, help="HOST:PORT")
    listen = parser.parse_args().listen
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=[("grpc.so_reuseport", 0)])
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {METHOD: grpc.unary_stream_rpc_method_handler(_send)}
    server.add_registered_method_handlers(SERVICE, handlers)
    port = server.add_insecure_port(listen)
    server.start()
    print(f"bare grpcio streams: serves on {listen.rpartition(':')[0]}:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
