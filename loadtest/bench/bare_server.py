"""The yardstick: a bare grpcio server whose one handler sends back the bytes that it got.

The same pool size and channel options as Callgate's default transport (server/callgate_server/transports/grpcio.py), so
that the difference is Callgate's own work and nothing else. Run: python -m loadtest.bench.bare_server --listen ADDRESS
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from callgate_server.transports.pool import CallPool

__all__ = ["METHOD", "SERVICE"]

SERVICE = "callgate.v1.FunctionService"
METHOD = "CallFunction"

#: Callgate's defaults: `limits.calls` and the spare threads.
_THREADS = 128 + 16
_MAX_MESSAGE = (64 << 20) + 1024


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", required=True, help="HOST:PORT")
    parser.add_argument("--own-pool", action="store_true", help="use Callgate's thread pool, for comparison")
    options = parser.parse_args()
    listen = options.listen
    pool: Any = CallPool(_THREADS, "bare") if options.own_pool else ThreadPoolExecutor(_THREADS)
    server = grpc.server(
        pool,
        options=[
            ("grpc.max_receive_message_length", _MAX_MESSAGE),
            ("grpc.max_send_message_length", _MAX_MESSAGE),
            ("grpc.so_reuseport", 0),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ],
    )
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        METHOD: grpc.unary_unary_rpc_method_handler(lambda payload, context: payload)
    }
    server.add_registered_method_handlers(SERVICE, handlers)
    port = server.add_insecure_port(listen)
    server.start()
    print(f"bare grpcio serves on {listen.rpartition(':')[0]}:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
