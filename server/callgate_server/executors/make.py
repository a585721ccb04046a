"""Executors from their settings: the only place that knows every kind.

Each kind's module is imported only when it is used: sub-interpreters need a Python that not everybody has.
"""

from __future__ import annotations

from callgate_server.executors.base import Executor, Surroundings
from callgate_server.executors.serial import JobThread, SerialExecutor
from callgate_server.settings import ExecutorSettings

__all__ = ["make_executor"]


def make_executor(
    name: str, settings: ExecutorSettings, around: Surroundings, main: JobThread | None = None
) -> Executor:
    """Make an executor.

    Args:
        name: its name.
        settings: its settings.
        around: what the server lends it.
        main: the main thread's loop; None where nobody runs one.

    Returns:
        The executor, not started.

    Raises:
        SettingsError: if this Python cannot run the kind.
    """
    match settings.kind:
        case "serial":
            return SerialExecutor(name, around, queue=settings.queue, thread=settings.thread, main=main)
        case "threads":
            from callgate_server.executors.threads import ThreadsExecutor

            return ThreadsExecutor(name, around, max_workers=settings.max_workers, queue=settings.queue)
        case "coroutines":
            from callgate_server.executors.coroutines import CoroutinesExecutor

            return CoroutinesExecutor(name, around, max_tasks=settings.max_tasks, queue=settings.queue)
        case "interpreters":
            from callgate_server.executors.interpreters import InterpretersExecutor

            # What cannot be loaded in a sub-interpreter runs in as many processes.
            processes = settings.model_copy(update={"kind": "processes"})
            return InterpretersExecutor(
                name,
                around,
                workers=settings.workers,
                queue=settings.queue,
                fallback=lambda: make_executor(name, processes, around, main),
            )
        case "processes":
            from callgate_server.executors.processes import ProcessesExecutor

            return ProcessesExecutor(name, around, settings)
