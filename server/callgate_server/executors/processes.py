"""`processes`: functions in supervised worker processes. A crash costs one call, a hung call costs one worker.

    pool thread ──▶ Quarantine ──▶ Turn (as many places as workers that are ready; FIFO, bounded, deadline-aware)
                      └▶ Crew.borrow: an idle worker
                           └▶ WorkerProcess.ask: CALL ──────▶ worker: decode, bind, run, encode
                              (blocks in recv)     ◀────────── RESULT │ STATUS │ INTERRUPTED
                         Crew.give_back; or, while calls wait, the next call's request, at once
                    turn passed on
    ladder thread ── cancelled, interrupt ──▶ the worker's control socket;  kill ──▶ SIGKILL, and a replacement

The request's bytes go through as they came, and the answer's bytes as they come: the front decodes neither, and
unpickles nothing. The thread that brought the call writes and reads the socket itself, so a call costs two wake-ups,
the worker's and its own. While calls wait, who has a worker's answer writes the next request (process_calls.py).

Starting a worker is nobody's running time: until one is ready, calls wait in the queue, where they expire as
EXPIRED_IN_QUEUE.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Sequence

from callgate_server.call import Call
from callgate_server.executors.base import ExecutorStats, Surroundings
from callgate_server.executors.crew import Crew, StartFailed
from callgate_server.executors.launcher import Charter
from callgate_server.executors.process_calls import ProcessCalls
from callgate_server.executors.supervision import Intensity
from callgate_server.executors.worker_python import WorkerPython, find_python
from callgate_server.loading import ModuleFailed
from callgate_server.registry import Exposed
from callgate_server.settings import ExecutorSettings, SettingsError
from callgate_server.turn import Turn

__all__ = ["ProcessesExecutor"]


class ProcessesExecutor:
    """Runs calls in worker processes.

    Args:
        name: its name in the settings.
        around: what the server lends.
        settings: its settings.
    """

    kind = "processes"

    def __init__(self, name: str, around: Surroundings, settings: ExecutorSettings) -> None:
        self.name = name
        self._around = around
        self._settings = settings
        self._turn = Turn(capacity=settings.queue + settings.workers, places=0)
        self._python: WorkerPython | None = None
        self._crew: Crew | None = None
        self._calls: ProcessCalls | None = None
        self._generations = itertools.count(1)
        self._reloading = threading.Lock()

    @property
    def concurrency(self) -> int:
        """As many as there are workers."""
        return self._settings.workers

    # ------------------------------------------------------------------------------------------- start, reload, close

    def start(self, functions: Sequence[Exposed]) -> None:
        """Start the workers, and wait until all have imported the functions' modules.

        Raises:
            SettingsError: if workers cannot run here, or with these limits.
            ModuleFailed: if a module cannot be imported there.
        """
        settings = self._settings
        self._python = find_python(f"executors.{self.name}.python", settings.python)
        self._crew = Crew(
            self.name,
            settings.workers,
            self._python.command,
            start_timeout=settings.start_timeout,
            intensity=Intensity(settings.max_crashes, settings.crash_window),
            resize=self._turn.resize,
            give_up=self._give_up,
            max_calls=settings.max_calls,
        )
        self._calls = ProcessCalls(self.name, self._around, self._crew, self._turn)
        try:
            self._muster(functions)
        except BaseException:
            self._crew.close()
            raise

    def reload(self, functions: Sequence[Exposed]) -> None:
        """Start new workers, and let them take over once all have loaded the new code.

        Raises:
            SettingsError, ModuleFailed: as `start`; the old workers then go on.
        """
        with self._reloading:
            self._muster(functions)

    def _muster(self, functions: Sequence[Exposed]) -> None:
        settings, invoker = self._settings, self._around.invoker
        assert self._python is not None  # found by `start`
        assert self._crew is not None  # made by `start`
        start = {
            "sys_path": self._python.sys_path,
            "import_path": self._around.import_path,
            "other": self._python.other,
            "functions": sorted((exposed.module, exposed.name) for exposed in functions),
            "limits": settings.model_dump(include={"memory", "cpu", "open_files", "max_rss"}),
            "value_limits": (invoker.limits.depth, invoker.limits.elements, invoker.limits.bytes),
            "traceback": invoker.traceback,
        }
        try:
            self._crew.muster(Charter(next(self._generations), json.dumps(start).encode()))
        except StartFailed as failed:
            raise self._start_error(failed.problem) from None

    def _start_error(self, problem: dict[str, str]) -> Exception:
        table = f"executors.{self.name}"
        match problem.get("problem"):
            case "module":
                return ModuleFailed(problem.get("module", "?"), problem.get("trace", ""))
            case "environment":
                python = self._settings.python
                return SettingsError(
                    f"{table}.python = {str(python)!r}: workers cannot run in that environment ({problem.get('how')}); "
                    f"run: {python} -m pip install 'protobuf>=6.31.1' 'googleapis-common-protos>=1.70'"
                )
        return SettingsError(f"{table}: a worker {problem.get('how', 'failed')}")

    def _give_up(self, sentence: str) -> None:
        self._turn.close()  # nobody should wait for workers that will not come
        self._around.give_up(sentence)

    def close(self, grace: float) -> None:
        """Turn away who waits, let runs finish for `grace` seconds, then interrupt them, then kill their workers."""
        self._turn.close()
        if self._calls is not None:
            self._calls.end(grace)
        if self._crew is not None:
            self._crew.close()

    # ---------------------------------------------------------------------------------------------------------- calls

    def runs_at_once(self) -> bool:
        """Never: a worker runs it."""
        return False

    def call(self, exposed: Exposed, call: Call) -> bytes:
        """Have a worker run a call when its turn comes."""
        return self._started.call(exposed, call)

    def stream(self, exposed: Exposed, call: Call) -> Iterator[bytes]:
        """Hold a worker for a stream, from its first item to its last."""
        return self._started.stream(exposed, call)

    @property
    def _started(self) -> ProcessCalls:
        assert self._calls is not None  # calls come after `start`
        return self._calls

    def describe(self) -> str:
        """How many workers, of which Python."""
        count = self._settings.workers
        other = self._python is not None and self._python.other
        of = f" of Python {self._python.version} in {self._settings.python}" if self._python and other else ""
        return f"{count} worker process{'es' if count > 1 else ''}{of}"

    def stats(self) -> ExecutorStats:
        """Counts and state."""
        return self._calls.stats() if self._calls is not None else ExecutorStats()
