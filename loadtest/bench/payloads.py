"""What a large payload costs in memory, on each side."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from pathlib import Path

from loadtest.bench.figure import Figure
from loadtest.server import ROOT, ServerProcess

__all__ = ["run"]

_FUNCTIONS = str(Path(__file__).with_name("bench_functions.py"))
_PAYLOAD = 64 << 20
_REPEATS = 5

#: The client, in a process of its own: prints how much its peak memory grew over the round trip.
_CLIENT = """
import re, sys
import numpy
import callgate

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

with callgate.connect(sys.argv[1]) as gate:
    gate.call("bench_functions", "same", numpy.zeros(8))
    array = numpy.arange(int(sys.argv[2]) // 8, dtype="float64")
    before = peak()
    back = gate.call("bench_functions", "same", array)
    print(peak() - before + array.nbytes)  # the array itself counts
    assert (back == array).all()
"""


def run() -> list[Figure]:
    """Peak memory of a 64 MiB array's way there and back, as a multiple of its size, on the client and the server."""
    client, server = [], []
    for _ in range(_REPEATS):
        # A fresh server each time: a peak is for a process's whole life.
        with ServerProcess(_FUNCTIONS, env={"CALLGATE_LIMITS__MESSAGE": "128MiB"}) as process:
            _round_trip(process.address, 64)
            before = _peak(process.process.pid)
            client.append(_round_trip(process.address, _PAYLOAD) / _PAYLOAD)
            server.append((_peak(process.process.pid) - before) / _PAYLOAD)
    return [
        Figure(
            name=f"peak memory of a 64 MiB ndarray there and back, {side} / its size",
            ratio=statistics.median(ratios),
            target=4.0,
            at_most=True,
            spread=(min(ratios), max(ratios)),
            notes="growth of VmHWM over one call",
        )
        for side, ratios in (("client", client), ("server", server))
    ]


def _round_trip(address: str, size: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _CLIENT, address, str(size)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return int(done.stdout)


def _peak(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) * 1024
