"""Load from h2load with latencies: what a gRPC server does when its client costs next to nothing.

Like loadtest/bench/h2load.py, which says why the length of every answer is checked; this one also reads how long each
call took, from h2load's log.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.peers.usage import cpu_seconds, tree
from loadtest.server import on_cores

__all__ = ["Flood", "Message", "flood", "percentile"]

_FINISHED = re.compile(r"finished in ([\d.]+)(us|ms|s),")
_COUNTS = re.compile(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")
_DATA = re.compile(r"\((\d+)\) data")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}

#: Concurrent calls are spread over so many connections at most, as several clients' are.
_CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Message:
    """What is called: "package.Service/Method", the serialized request, the serialized answer's length, headers."""

    method: str
    request: bytes
    answer_bytes: int
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flood:
    """What came of it: calls a second, latencies in seconds, the server's CPU seconds a thousand calls."""

    rate: float
    p50: float
    p99: float
    server_cpu: float


def flood(
    address: str, message: Message, *, callers: int, requests: int, server: int, cores: set[int], seconds: float = 120.0
) -> Flood:
    """Make calls, so many at once, as fast as the server takes them.

    Args:
        address: "HOST:PORT".
        message: what to call.
        callers: how many calls at once.
        requests: how many calls in all.
        server: the process whose CPU time counts.
        cores: where h2load runs.
        seconds: how long it may take.

    Raises:
        RuntimeError: if h2load is missing, a call failed or an answer has another length, or it takes too long.
    """
    if shutil.which("h2load") is None:
        raise RuntimeError("h2load is not there; on Debian: apt-get install nghttp2-client")
    connections = min(_CONNECTIONS, callers)
    with tempfile.TemporaryDirectory() as folder, on_cores(cores):
        data, log = Path(folder, "data"), Path(folder, "log")
        data.write_bytes(b"\0" + len(message.request).to_bytes(4, "big") + message.request)
        headers = ["content-type: application/grpc", "te: trailers", *message.headers]
        processes = tree(server)
        before = cpu_seconds(processes)
        try:
            done = subprocess.run(
                [
                    "h2load", f"--requests={requests}", f"--clients={connections}",
                    f"--max-concurrent-streams={-(-callers // connections)}", f"--data={data}", f"--log-file={log}",
                    # The default windows, 64 KB times 2^10, would never be in the way; large answers want them.
                    "--window-bits=30", "--connection-window-bits=30",
                    *(f"--header={header}" for header in headers), f"http://{address}/{message.method}",
                ],
                capture_output=True, text=True, check=True, timeout=seconds,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{requests} calls took more than {seconds:g} s") from None
        used = cpu_seconds(processes) - before
        # A line a call: when it began, its status, how many microseconds it took.
        took = sorted(int(line.split("\t")[2]) / 1e6 for line in log.read_text("ascii").splitlines())
    _check(done.stdout, message, requests)
    finished = _FINISHED.search(done.stdout)
    assert finished is not None  # _check has seen it
    lasted = float(finished[1]) * _UNITS[finished[2]]
    return Flood(
        requests / lasted, percentile(took, 0.5), percentile(took, 0.99), 1000 * used / requests
    )  # fmt: skip


def percentile(ordered: Sequence[float], part: float) -> float:
    """The value below which this part of sorted values lies."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _check(said: str, message: Message, requests: int) -> None:
    counts, data = _COUNTS.search(said), _DATA.search(said)
    if counts is None or data is None or not _FINISHED.search(said):
        raise RuntimeError(f"h2load printed what was not expected:\n{said}")
    if counts.groups() != (str(requests), "0", "0", "0"):
        raise RuntimeError(f"of {requests} calls: {counts[0]}")
    expected = requests * (5 + message.answer_bytes)  # 5 bytes of framing a message
    if int(data[1]) != expected:
        raise RuntimeError(f"{data[1]} bytes came back, and {expected} are right: some calls failed")
