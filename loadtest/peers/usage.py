"""What a process and its descendants use: CPU time and memory (Linux)."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["cpu_seconds", "kill_tree", "peak_rss_bytes", "tree"]

_PPID = re.compile(r"\) \S (\d+) ")
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def tree(root: int) -> list[int]:
    """A process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                # The command's name, in parentheses, may hold anything, also parentheses: the last one ends it.
                found = _PPID.search(Path(f"/proc/{entry}/stat").read_text("utf-8", "replace").rpartition("(")[2])
            except OSError:  # ended meanwhile
                continue
            if found:
                children.setdefault(int(found[1]), []).append(int(entry))
    family, at = [root], 0
    while at < len(family):
        family += children.get(family[at], ())
        at += 1
    return family


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU seconds that these processes have used, to the nanosecond; those that have ended count nothing.

    `/proc/PID/stat` counts in hundredths of a second, which is coarse for a window of a fifth; every process has a CPU
    clock (clock_getcpuclockid(3), whose arithmetic this is). Reading it neither opens files nor lets go of the GIL,
    which this thread would get back late beside 512 others.
    """
    total = 0.0
    for pid in pids:
        try:
            total += time.clock_gettime((~pid << 3) | 2)
        except OSError:
            continue
    return total


def peak_rss_bytes(root: int) -> int:
    """The peaks of resident memory of a process and its living descendants, added; shared pages count for each."""
    total = 0
    for pid in tree(root):
        try:
            found = _PEAK.search(Path(f"/proc/{pid}/status").read_text("utf-8"))
        except OSError:
            continue
        total += int(found[1]) * 1024 if found else 0
    return total


def kill_tree(root: int) -> None:
    """Kill a process that we started, and its descendants."""
    for pid in tree(root):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
