"""The wiring: settings in, a running server out. Only this file knows concrete transports."""

from __future__ import annotations

import site
import sys
import threading
from pathlib import Path

import structlog

from callgate.values import Limits
from callgate_server.dispatch import Dispatcher
from callgate_server.executors.base import Executor, Surroundings
from callgate_server.executors.make import make_executor
from callgate_server.executors.serial import JobThread
from callgate_server.invocation import Invoker
from callgate_server.ladder import Ladder
from callgate_server.registry import ExposureRule, Registry
from callgate_server.security.tokens import TokenFileError, TokenTable
from callgate_server.servicers.functions import SERVICE, FunctionServicer
from callgate_server.settings import KINDS, ExecutorSettings, Settings, SettingsError, is_loopback
from callgate_server.transports.base import Credentials, Transport, TransportOptions
from callgate_server.transports.grpcio import GrpcioTransport

__all__ = ["Server", "extend_path"]

log = structlog.get_logger("callgate.server")

#: Threads beyond the admission limit, so that refusals and listings always find one. Arbitrary: a refusal takes well
#: under a millisecond.
_SPARE_THREADS = 16


class Server:
    """A server, made from its settings; importing the exposed modules is part of making it.

    Args:
        settings: the settings.
        on_main_thread: whether `run` will be called on the main thread, as `thread = "main"` needs.

    Raises:
        SettingsError, PolicyError, ModuleFailed: if it cannot be made.
    """

    def __init__(self, settings: Settings, *, on_main_thread: bool = False) -> None:
        self.settings = settings
        self.address = ""
        self._main = JobThread()
        self._stopped = False
        self._stop_lock = threading.Lock()
        extend_path(settings)
        self.registry = Registry(
            [ExposureRule(rule.functions, rule.executor, rule.timeout) for rule in settings.expose],
            default_executor=settings.executor,
            allow_unsafe=settings.allow_unsafe,
        )
        self.ladder = Ladder()
        traceback = settings.errors.traceback
        invoker = Invoker(
            limits=Limits(settings.limits.depth, settings.limits.elements),
            traceback=traceback == "always" or (traceback == "auto" and is_loopback(settings.listen)),
        )
        around = Surroundings(invoker, self.ladder)
        self.executors: dict[str, Executor] = {
            name: make_executor(name, _executor_settings(name, settings), around, self._main if on_main_thread else None)
            for name in sorted({exposed.executor for exposed in self.registry})
        }
        self.dispatcher = Dispatcher(
            self.registry,
            self.executors,
            admission=settings.limits.calls,
            max_response_bytes=settings.limits.message,
        )
        self.transport: Transport = GrpcioTransport(_transport_options(settings))

    def start(self) -> str:
        """Start the executors, then listen; healthy once both are done.

        Returns:
            The address it listens on.

        Raises:
            TransportFailed: if it cannot listen; the executors are closed again.
        """
        started: list[Executor] = []
        try:
            for name, executor in self.executors.items():
                started.append(executor)
                executor.start([exposed for exposed in self.registry if exposed.executor == name])
            servicer = FunctionServicer(self.dispatcher, self.transport.identity_of, self.transport.caller_of)
            self.address = self.transport.start({SERVICE: servicer.handlers()})
        except BaseException:
            for executor in started:
                executor.close(0.0)
            raise
        self.transport.set_serving(True)
        return self.address

    def run(self) -> None:
        """Run the main thread's share of the work until `request_stop`."""
        self._main.run()

    def request_stop(self) -> None:
        """Let `run` return; safe in a signal handler."""
        self._main.stop()

    def stop(self, grace: float | None = None) -> bool:
        """Say NOT_SERVING, refuse new calls, let those on their way end, stop.

        Args:
            grace: seconds for calls on their way; None: the settings' `drain`.

        Returns:
            Whether all calls ended by themselves.
        """
        with self._stop_lock:
            if self._stopped:
                return True
            self._stopped = True
        seconds = self.settings.drain if grace is None else grace
        if threading.current_thread() is not threading.main_thread():
            return self._stop(seconds)
        # Functions with `thread = "main"` need this thread while their calls end: stop from another one.
        result: list[bool] = []

        def stop_and_release_main() -> None:
            try:
                result.append(self._stop(seconds))
            finally:
                self._main.stop()

        stopper = threading.Thread(target=stop_and_release_main, name="callgate-stop", daemon=True)
        stopper.start()
        self._main.run()
        stopper.join()
        return result == [True]

    def _stop(self, grace: float) -> bool:
        self.transport.set_serving(False)
        drained = self.dispatcher.drain(grace)
        self.dispatcher.close(grace if drained else 0.0)
        # What is left is about to be answered: half a second, then it is cut off.
        self.transport.stop(0.5)
        self.ladder.close()
        return drained


def _executor_settings(name: str, settings: Settings) -> ExecutorSettings:
    if name in settings.executors:
        return settings.executors[name]
    return ExecutorSettings(kind=name) if name in KINDS else ExecutorSettings()


def _transport_options(settings: Settings) -> TransportOptions:
    tls = settings.tls
    try:
        tokens = TokenTable.load(settings.auth.tokens) if settings.auth.tokens is not None else None
    except TokenFileError as error:
        raise SettingsError(f"auth.tokens: {error}") from None
    return TransportOptions(
        listen=settings.listen,
        threads=settings.limits.calls + _SPARE_THREADS,
        max_message_bytes=settings.limits.message,
        credentials=Credentials(tls.certificate, tls.key, tls.client_ca) if tls is not None else None,
        tokens=tokens,
    )


def extend_path(settings: Settings) -> None:
    """Put the settings' folders and environment where imports look."""
    for folder in reversed(settings.path):
        resolved = folder.resolve()
        if not resolved.is_dir():
            raise SettingsError(f"path: {folder} is not a folder that can be read")
        try:
            next(resolved.iterdir(), None)
        except OSError as error:
            raise SettingsError(f"path: {folder} cannot be read: {error.strerror}") from None
        if str(resolved) not in sys.path:
            sys.path.insert(0, str(resolved))
    if settings.venv is not None:
        site.addsitedir(str(_site_packages(settings.venv)))


def _site_packages(venv: Path) -> Path:
    """The packages of a virtual environment that this very Python can import."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = venv / "lib" / version / "site-packages"
    if found.is_dir():
        return found
    others = sorted(path.parent.name for path in venv.glob("lib/python*/site-packages"))
    if others:
        raise SettingsError(
            f"venv: {venv} is of {', '.join(others)}, and this server runs {version}; make the environment with this "
            "Python, or run its functions in workers of its own: an executor with kind = \"processes\" and python = …"
        )
    raise SettingsError(f"venv: {venv} is no virtual environment (there is no lib/{version}/site-packages in it)")
