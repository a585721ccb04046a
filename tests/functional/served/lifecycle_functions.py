"""Functions that start, wait and end as a test in the same process says."""

import threading
import time

import callgate

started = threading.Event()
release = threading.Event()


def reset():
    started.clear()
    release.clear()


def hold():
    started.set()
    release.wait()
    return "held"


def block_in_c():
    """Block where no exception reaches: in a lock's acquire."""
    started.set()
    release._cond.acquire()
    try:
        while not release._flag:
            release._cond.wait()
    finally:
        release._cond.release()
    return "blocked"


def spin():
    started.set()
    while True:
        pass


def quick():
    return 1


def nap(seconds):
    time.sleep(seconds)


async def aquick():
    return callgate.current_call().id
