"""Freed memory is kept for the next large message: it costs no page faults again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

#: Allocates, writes and frees blocks twice on a thread, and prints whether it was asked to keep them and how many pages
#: were faulted in the second time. Pages are to be small ones, whatever the system prefers.
PROGRAM = """\
import ctypes, resource, sys, threading

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE

from callgate.memory import keep_freed_memory

kept = keep_freed_memory() if sys.argv[1] == "keep" else None

def twice():
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        blocks = [bytearray(size << 20) for size in (33, 40, 20)]
        for block in blocks:
            block[::4096] = b"x" * (len(block) // 4096)
        del block, blocks
    print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

thread = threading.Thread(target=twice)
thread.start()
thread.join()
"""

#: Of 4 KiB: 93 MiB.
PAGES = 93 << 8


def run(what: str, **environment: str) -> tuple[str, int]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, what], env={**clean, **environment}, capture_output=True, text=True, check=True
    )
    kept, faults = done.stdout.split()
    return kept, int(faults)


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="the C library is not glibc")
def test_what_was_freed_is_used_again_without_page_faults():
    kept, faults = run("keep")
    assert kept == "True"
    assert faults < PAGES / 10
    assert run("leave")[1] > PAGES / 2  # without it: what this is for


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="the C library is not glibc")
def test_what_is_kept_can_be_given_back():
    program = PROGRAM.replace("thread.join()", "thread.join()\nfrom callgate.memory import give_back\n") + (
        "def resident():\n    return int(open('/proc/self/statm').read().split()[1])\n"
        "kept = resident()\ngive_back()\nprint(kept - resident())\n"
    )
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", program, "keep"], env=clean, capture_output=True, text=True, check=True
    )
    assert int(done.stdout.splitlines()[-1]) > PAGES / 2


@pytest.mark.parametrize("setting", ["MALLOC_ARENA_MAX=2", "GLIBC_TUNABLES=glibc.malloc.arena_max=2"])
def test_what_the_environment_says_of_malloc_holds(setting):
    name, _, value = setting.partition("=")
    kept, faults = run("keep", **{name: value})
    assert kept == "False"
    assert faults > PAGES / 10
