"""A loopback connection and nothing else: what this machine makes of more bytes, below any gRPC.

One process sends so many bytes and reads as many back. The other reads them all and sends them. No HTTP/2, no values,
no copies but the kernel's: where this grows faster than the bytes do, so does everything.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from types import TracebackType

from loadtest.peers.flood import Flood, percentile
from loadtest.peers.usage import cpu_seconds
from loadtest.server import on_cores

__all__ = ["BareEcho"]

_SERVER = """
import socket, sys
size = int(sys.argv[1])
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
data = memoryview(bytearray(size))
while True:
    have = 0
    while have < size:
        came = connection.recv_into(data[have:])
        if not came:
            sys.exit()
        have += came
    connection.sendall(data)
"""


class BareEcho:
    """A process that sends back what it is sent; use it in a `with` statement.

    Args:
        size: bytes.
        cores: where it runs.
    """

    def __init__(self, size: int, cores: set[int]) -> None:
        self.size = size
        self._data = bytes(size)
        with on_cores(cores):
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVER, str(size)], stdout=subprocess.PIPE, text=True
            )
        assert self._process.stdout is not None  # PIPE
        self._socket = socket.create_connection(("127.0.0.1", int(self._process.stdout.readline())))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> BareEcho:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._process.wait(10)

    def flood(self, requests: int, cores: set[int]) -> Flood:
        """Send the bytes there and back so often, one after the other.

        Args:
            requests: how often.
            cores: where this process runs meanwhile.
        """
        came = memoryview(bytearray(self.size))
        took = []
        pid = [self._process.pid]
        with on_cores(cores):
            before, started = cpu_seconds(pid), time.perf_counter()
            for _ in range(requests):
                began, have = time.perf_counter(), 0
                self._socket.sendall(self._data)
                while have < self.size:
                    have += self._socket.recv_into(came[have:])
                took.append(time.perf_counter() - began)
            lasted, used = time.perf_counter() - started, cpu_seconds(pid) - before
        took.sort()
        return Flood(requests / lasted, percentile(took, 0.5), percentile(took, 0.99), 1000 * used / requests)
