"""Events by name, with which the driver and the functions under test wait for one another instead of sleeping.

Served beside conformance_functions, on threads of its own, so that the driver reaches it while a function runs.
"""

from __future__ import annotations

import threading
from collections import Counter

_events: dict[str, threading.Event] = {}
_signals: Counter[str] = Counter()
_lock = threading.Lock()


def _event(name: str) -> threading.Event:
    with _lock:
        return _events.setdefault(name, threading.Event())


def wait(name: str, seconds: float) -> bool:
    """Wait until somebody signals; whether somebody did."""
    return _event(name).wait(seconds)


def signal(name: str) -> None:
    """Signal."""
    with _lock:
        _signals[name] += 1
    _event(name).set()


def times(name: str) -> int:
    """How often somebody signalled."""
    with _lock:
        return _signals[name]
