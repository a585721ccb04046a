"""Whether the server is ready for calls: while nothing stands against it."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Readiness"]


class Readiness:
    """Reasons against being ready; ready while there is none.

    Args:
        tell: told whenever the answer changes, in order.
    """

    def __init__(self, tell: Callable[[bool], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._against: dict[object, str] = {}

    @property
    def reasons(self) -> list[str]:
        """What stands against it now."""
        with self._lock:
            return list(self._against.values())

    def against(self, reason: str) -> Callable[[], None]:
        """Add a reason.

        Returns:
            What to call when it no longer holds.
        """
        key = object()
        with self._lock:
            self._against[key] = reason
            if len(self._against) == 1:
                self._tell(False)

        def lift() -> None:
            with self._lock:
                if self._against.pop(key, None) is not None and not self._against:
                    self._tell(True)

        return lift
