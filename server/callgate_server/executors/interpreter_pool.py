"""The interpreters of one executor: made one after the other, lent to one call at a time, replaced on reload.

Each load of the code is a generation. A reload makes a new one beside the old; who comes back from a call and is of an
old generation is ended, who is idle is ended at once. Ending is done by the thread that brings the worker back: it
takes some milliseconds, and happens once for each worker and reload.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Sequence

import structlog

from callgate_server.executors.interpreter_worker import InterpreterWorker, LoadProblem

__all__ = ["InterpreterPool"]

log = structlog.get_logger("callgate.interpreters")

#: Seconds for the waiting threads of busy interpreters to end when the process exits. Each needs its interpreter's GIL,
#: which a busy function gives up every 5 ms (sys.getswitchinterval); arbitrary beyond that.
_EXIT_PAUSE = 0.1


class InterpreterPool:
    """Interpreters that have all loaded the same functions.

    Args:
        size: how many.
        import_path: folders to set up as in the main interpreter.
    """

    def __init__(self, size: int, import_path: Sequence[str]) -> None:
        self._size = size
        self._import_path = import_path
        # Guards what follows. Invariant: a worker is idle, or lent to exactly one call, or ended; one that is neither
        # among `_idle` nor of `_current` is ended by whoever has it.
        self._lock = threading.Lock()
        self._idle: list[InterpreterWorker] = []
        self._current: frozenset[InterpreterWorker] = frozenset()
        self._lent: set[InterpreterWorker] = set()
        self.closed = False
        self._registered = False

    def make(self, functions: Sequence[tuple[str, str]]) -> tuple[list[InterpreterWorker], list[LoadProblem]]:
        """Make a generation of interpreters, which `replace` puts to work.

        Args:
            functions: (module, name) of what to load.

        Returns:
            The interpreters, none if they would have nothing to run; and what could not be loaded, in one or in all.
        """
        made: list[InterpreterWorker] = []
        problems: dict[tuple[str, str], LoadProblem] = {}
        try:
            # One after the other: imports run any code, and the same code at once is not what its authors had in mind.
            while len(made) < self._size and len(problems) < len(functions):
                made.append(InterpreterWorker(self._import_path))
                for problem in made[-1].load([key for key in functions if key not in problems]):
                    problems[problem[0], problem[1]] = problem
        except BaseException:
            self.end(made)
            raise
        if len(problems) == len(functions):
            self.end(made)
            made = []
        return made, list(problems.values())

    def replace(self, workers: Sequence[InterpreterWorker]) -> None:
        """Let a new generation take over."""
        with self._lock:
            old, self._idle = self._idle, list(workers)
            self._current = frozenset(workers)
            if not self._registered:
                atexit.register(self._at_exit)
                self._registered = True
        self.end(old)

    def take(self, function: tuple[str, str]) -> InterpreterWorker | None:
        """Borrow an idle worker; the caller knows by its turn that there is one.

        Args:
            function: what is to run there.

        Returns:
            The worker; None if the pool has closed, or has no such function any more.
        """
        with self._lock:
            if self.closed or not self._idle or function not in self._idle[-1].functions:
                return None
            worker = self._idle.pop()  # the one used last: its caches are warm
            self._lent.add(worker)
            return worker

    def give_back(self, worker: InterpreterWorker) -> None:
        """Return a worker; an old one is ended."""
        with self._lock:
            self._lent.discard(worker)
            if worker in self._current and not self.closed:
                self._idle.append(worker)
                return
        self.end([worker])

    def close(self) -> None:
        """End the idle workers, now; the others when they come back."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
            lent = list(self._lent)
            self._current = frozenset()
        self.end(idle)
        for worker in lent:
            log.warning("an interpreter is still busy, and is left to its function")
            worker.release_listener()
        if not lent:
            atexit.unregister(self._at_exit)

    def _at_exit(self) -> None:
        """Without this Python would wait at its exit for the threads that wait for interruptions."""
        if not self.closed:
            self.close()
        if self._lent:
            time.sleep(_EXIT_PAUSE)

    @staticmethod
    def end(workers: Sequence[InterpreterWorker]) -> None:
        """End workers that run nothing; what goes wrong with one is logged."""
        for worker in workers:
            try:
                threads = worker.end()
                if threads:
                    log.warning("an interpreter's functions left threads behind; it is left alone", threads=threads)
            except Exception:
                log.exception("an interpreter could not be ended")
