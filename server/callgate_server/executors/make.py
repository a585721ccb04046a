"""Executors from their settings: the only place that knows every kind."""

from __future__ import annotations

from callgate_server.executors.base import Executor, Surroundings
from callgate_server.executors.serial import JobThread, SerialExecutor
from callgate_server.settings import ExecutorSettings

__all__ = ["make_executor"]


def make_executor(name: str, settings: ExecutorSettings, around: Surroundings, main: JobThread | None) -> Executor:
    """Make an executor.

    Args:
        name: its name.
        settings: its settings.
        around: what the server lends it.
        main: the main thread's loop; None where nobody runs one.

    Returns:
        The executor, not started.
    """
    return SerialExecutor(name, around, queue=settings.queue, thread=settings.thread, main=main)
