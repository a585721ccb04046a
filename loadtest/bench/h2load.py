"""Load from nghttp2's h2load: a generator in C, so that one core of it saturates one core of any Python server.

h2load knows nothing of gRPC: it posts a file, here a request in gRPC's framing, and counts HTTP 200, which failures are
too. So it is told how many bytes an answer has, and the bytes that came must be exactly that for each request: a
failure has a trailer and no message, and would show.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile

from loadtest.server import on_cores

__all__ = ["load"]

_FINISHED = re.compile(r"finished in ([\d.]+)(us|ms|s),")
_COUNTS = re.compile(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")
_DATA = re.compile(r"\((\d+)\) data")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def load(
    address: str,
    method: str,
    request: bytes,
    response_bytes: int,
    *,
    requests: int,
    connections: int = 4,
    streams: int = 8,
    timeout: str = "",
    cores: set[int] | None = None,
) -> float:
    """Make many calls as fast as the server takes them.

    Args:
        address: "HOST:PORT".
        method: the full method, "package.Service/Method".
        request: the serialized request.
        response_bytes: how long each serialized response must be.
        requests: how many calls.
        connections: how many connections.
        streams: how many calls at once on each; 4 times 8 keep a server on one core busy without a queue to speak of.
        timeout: the deadline that each call carries, as gRPC writes it ("20S"); empty for none.
        cores: the CPU cores that h2load may use.

    Returns:
        Calls a second.

    Raises:
        RuntimeError: if h2load is missing, or any call failed or came back with another length.
    """
    if shutil.which("h2load") is None:
        raise RuntimeError("h2load is not there; on Debian: apt-get install nghttp2-client")
    headers = ["content-type: application/grpc", "te: trailers"]
    if timeout:
        headers.append(f"grpc-timeout: {timeout}")
    with tempfile.NamedTemporaryFile() as file, on_cores(cores):
        file.write(b"\0" + len(request).to_bytes(4, "big") + request)
        file.flush()
        done = subprocess.run(
            [
                "h2load", f"--requests={requests}", f"--clients={connections}", f"--max-concurrent-streams={streams}",
                f"--data={file.name}", *(f"--header={header}" for header in headers), f"http://{address}/{method}",
            ],
            capture_output=True, text=True, check=True, timeout=300,
        )  # fmt: skip
    finished, counts, data = (pattern.search(done.stdout) for pattern in (_FINISHED, _COUNTS, _DATA))
    if finished is None or counts is None or data is None:
        raise RuntimeError(f"h2load printed what was not expected:\n{done.stdout}")
    if counts.groups() != (str(requests), "0", "0", "0"):
        raise RuntimeError(f"of {requests} calls to {method}: {counts[0]}")
    expected = requests * (5 + response_bytes)  # 5 bytes of framing a message
    if int(data[1]) != expected:
        raise RuntimeError(f"{data[1]} bytes came back, and {expected} are right: some calls to {method} failed")
    return requests / (float(finished[1]) * _UNITS[finished[2]])
