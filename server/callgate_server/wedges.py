"""Calls that can be neither interrupted nor ended: stuck in C, most likely.

Each is logged with the stacks of all threads, and counted by its executor. One that stays stuck for the executor's
`wedge_after` takes readiness down; readiness comes back when it ends after all. With `on_wedge = "exit"` the server
gives up instead.
"""

from __future__ import annotations

import faulthandler
import tempfile
import threading
from collections.abc import Callable

import structlog

from callgate_server.call import Call
from callgate_server.registry import Exposed

__all__ = ["WedgeWatch", "all_stacks"]

log = structlog.get_logger("callgate.wedge")


def all_stacks() -> str:
    """The stacks of all threads; of the newest hundred, where there are more (faulthandler's own limit).

    By faulthandler, into a file: it walks frames without running Python code, where `sys._current_frames` can
    deadlock with the collector.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read()


class WedgeWatch:
    """Watches one server's wedged calls.

    Args:
        patience: seconds after which a wedged call takes readiness down, by executor name.
        exits: names of executors whose wedged calls end the server.
        unready: told a reason why the server is not ready; returns what to call when it no longer holds.
        give_up: ends the server.
    """

    def __init__(
        self,
        patience: Callable[[str], float],
        exits: Callable[[str], bool],
        unready: Callable[[str], Callable[[], None]],
        give_up: Callable[[str], None],
    ) -> None:
        self._patience = patience
        self._exits = exits
        self._unready = unready
        self._give_up = give_up

    def report(self, executor: str, exposed: Exposed, call: Call, seconds: float) -> Callable[[], None]:
        """Take note of a wedged call. See `Surroundings.report_wedge`."""
        log.error(
            "a call can be neither interrupted nor ended", executor=executor, function=exposed.full_name,
            call_id=call.context.id, seconds=round(seconds, 3), stacks=all_stacks(),
        )  # fmt: skip
        lock = threading.Lock()
        ended = False
        ready_again: Callable[[], None] | None = None

        def lose_patience() -> None:
            nonlocal ready_again
            reason = f"{exposed.full_name} is stuck in {executor!r}"
            with lock:
                if ended:
                    return
                if self._exits(executor):
                    self._give_up(reason)
                    return
                ready_again = self._unready(reason)
            log.error("not ready: a call is stuck", executor=executor, function=exposed.full_name)

        def end() -> None:
            nonlocal ended
            with lock:
                if ended:
                    return
                ended = True
                timer.cancel()
                if ready_again is not None:
                    ready_again()
            log.info("a stuck call has ended", executor=executor, function=exposed.full_name, call_id=call.context.id)

        timer = threading.Timer(max(0.0, self._patience(executor) - seconds), lose_patience)
        timer.daemon = True
        timer.start()
        return end
