"""The wiring: settings in, a running server out. Only this file knows concrete transports."""

from __future__ import annotations

import site
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from callgate.values import Limits
from callgate_server.dispatch import Dispatcher
from callgate_server.elsewhere import functions_elsewhere
from callgate_server.executors.base import Executor, Surroundings
from callgate_server.executors.make import make_executor
from callgate_server.executors.serial import JobThread
from callgate_server.invocation import Invoker
from callgate_server.ladder import Graces, Ladder
from callgate_server.loading import imported_anew
from callgate_server.readiness import Readiness
from callgate_server.registry import Elsewhere, ExposureRule, Registry
from callgate_server.routing import SettingsRouter, executor_settings
from callgate_server.security.tokens import TokenFileError, TokenTable
from callgate_server.servicers.administration import ADMIN_SERVICE, AdminServicer
from callgate_server.servicers.functions import SERVICE, BatchLimits, FunctionServicer
from callgate_server.settings import Settings, SettingsError, is_loopback
from callgate_server.transports.base import Credentials, Transport, TransportOptions
from callgate_server.transports.grpcio import GrpcioTransport
from callgate_server.transports.native import NativeTransport
from callgate_server.wedges import WedgeWatch

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
        #: Why the server gave up; "" while it has not.
        self.gave_up = ""
        self._main = JobThread()
        self._on_main_thread = on_main_thread
        self._changing = threading.Lock()  # start, reload and stop come one after the other
        self._stopped = False
        self._servicer: FunctionServicer | None = None
        extend_path(settings)
        transport = NativeTransport if settings.transport == "native" else GrpcioTransport
        self.transport: Transport = transport(_transport_options(settings))
        self.readiness = Readiness(self.transport.set_serving)
        self.ladder = Ladder(Graces(settings.grace.interrupt, settings.grace.kill))
        traceback = settings.errors.traceback
        wedges = WedgeWatch(
            patience=lambda name: executor_settings(name, settings).wedge_after,
            exits=lambda name: executor_settings(name, settings).on_wedge == "exit",
            unready=self.readiness.against,
            give_up=self.give_up,
        )
        self._around = Surroundings(
            Invoker(
                limits=Limits(settings.limits.depth, settings.limits.elements, settings.limits.message),
                traceback=traceback == "always" or (traceback == "auto" and is_loopback(settings.listen)),
            ),
            self.ladder,
            import_path=tuple(_import_path(settings)),
            report_wedge=wedges.report,
            give_up=self.give_up,
        )
        registry = self._registry()
        self.dispatcher = Dispatcher(
            registry,
            {name: self._executor(name) for name in _executor_names(registry)},
            self._around,
            admission=settings.limits.calls,
            streams=settings.limits.streams,
            max_response_bytes=settings.limits.message,
        )

    @property
    def registry(self) -> Registry:
        """What is exposed now."""
        return self.dispatcher.registry

    def _registry(self) -> Registry:
        settings = self.settings
        return Registry(
            [ExposureRule(rule.functions, rule.executor, rule.timeout) for rule in settings.expose],
            SettingsRouter(settings, self._elsewhere()),
            allow_unsafe=settings.allow_unsafe,
        )

    def _elsewhere(self) -> dict[str, Elsewhere]:
        settings, path = self.settings, self._around.import_path
        return {
            name: functions_elsewhere(name, table, path, allow_unsafe=settings.allow_unsafe)
            for name, table in settings.executors.items()
            if table.python is not None
        }

    def _executor(self, name: str) -> Executor:
        settings = executor_settings(name, self.settings)
        return make_executor(name, settings, self._around, self._main if self._on_main_thread else None)

    def start(self) -> str:
        """Start the executors, then listen; healthy once both are done.

        Returns:
            The address it listens on.

        Raises:
            TransportFailed: if it cannot listen; the executors are closed again.
            SettingsError, ModuleFailed: if an executor cannot run its functions.
        """
        with self._changing:
            starting = self.readiness.against("starting")
            started: list[Executor] = []
            try:
                for executor in self.dispatcher.executors.values():
                    started.append(executor)
                    executor.start(self.registry.of_executor(executor.name))
                limits = self.settings.limits
                servicer = self._servicer = FunctionServicer(
                    self.dispatcher,
                    self.transport.identity_of,
                    self.transport.caller_of,
                    BatchLimits(limits.batch, limits.message, threads=limits.calls),
                )
                admin = AdminServicer(lambda: len(self.reload()), self._may_administer, self.transport.identity_of)
                self.address = self.transport.start({SERVICE: servicer.handlers(), ADMIN_SERVICE: admin.handlers()})
            except BaseException:
                for executor in started:
                    executor.close(0.0)
                self.ladder.close()
                raise
            starting()
            return self.address

    def _may_administer(self, identity: str) -> bool:
        if self.settings.asks_for_credentials:
            return identity in self.settings.auth.administrators
        return is_loopback(self.settings.listen)

    def reload(self) -> Registry:
        """Load the user's modules anew: calls from now on run the new code, those on their way end on the old.

        Returns:
            What is exposed now.

        Raises:
            SettingsError, PolicyError, ModuleFailed: if the new code cannot be served; the old one stays.
        """
        with self._changing:
            fresh: dict[str, Executor] = {}
            try:
                with imported_anew(self.settings.path):
                    registry = self._registry()
                    executors = dict(self.dispatcher.executors)
                    for name in _executor_names(registry):
                        functions = registry.of_executor(name)
                        if name in executors:
                            executors[name].reload(functions)
                        else:  # a function of a kind that there was none of
                            fresh[name] = executors[name] = self._executor(name)
                            fresh[name].start(functions)
            except BaseException:
                for executor in fresh.values():
                    executor.close(0.0)
                raise
            self.dispatcher.replace(registry, executors)
            log.info("reloaded", functions=len(registry))
            return registry

    def run(self) -> None:
        """Run the main thread's share of the work until `request_stop`."""
        self._main.run()

    def request_stop(self) -> None:
        """Let `run` return; safe in a signal handler."""
        self._main.stop()

    def on_main(self, job: Callable[[], None]) -> None:
        """Have the main thread do something soon; safe in a signal handler."""
        self._main.submit(job)

    def give_up(self, reason: str) -> None:
        """Say NOT_SERVING for good and let `run` return: the server can't go on, and its orchestrator has to act.

        Args:
            reason: one sentence for the log and the last line on standard error.
        """
        if not self.gave_up:
            self.gave_up = reason
            log.critical("giving up", reason=reason)
            self.readiness.against(reason)
            self.request_stop()

    def refuse(self) -> None:
        """Say NOT_SERVING and refuse new calls, ahead of `stop`."""
        self.readiness.against("stopping")
        self.dispatcher.refuse()

    def stop(self, grace: float | None = None) -> bool:
        """Say NOT_SERVING, refuse new calls, let those on their way end, stop.

        Args:
            grace: seconds for calls on their way; None: the settings' `drain`.

        Returns:
            Whether all calls ended by themselves.
        """
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
        with self._changing:
            if self._stopped:
                return True
            self._stopped = True
            self.refuse()
            drained = self.dispatcher.drain(grace)
            self.dispatcher.close(grace if drained else 0.0)
            # What is left is about to be answered: half a second, then it is cut off.
            self.transport.stop(0.5)
            if self._servicer is not None:
                self._servicer.close()
            self.ladder.close()
            return drained


def _executor_names(registry: Registry) -> list[str]:
    return sorted({exposed.executor for exposed in registry})


def _transport_options(settings: Settings) -> TransportOptions:
    tls = settings.tls
    try:
        tokens = TokenTable.load(settings.auth.tokens) if settings.auth.tokens is not None else None
    except TokenFileError as error:
        raise SettingsError(f"auth.tokens: {error}") from None
    return TransportOptions(
        listen=settings.listen,
        threads=settings.limits.calls + _SPARE_THREADS,
        stream_threads=settings.limits.streams + _SPARE_THREADS,
        max_message_bytes=settings.limits.message,
        credentials=Credentials(tls.certificate, tls.key, tls.client_ca) if tls is not None else None,
        tokens=tokens,
    )


def _import_path(settings: Settings) -> list[str]:
    """The folders that the settings add to sys.path, for workers and interpreters of their own."""
    folders = [str(folder.resolve()) for folder in settings.path]
    if settings.venv is not None:
        folders.append(str(_site_packages(settings.venv)))
    return folders


def extend_path(settings: Settings) -> None:
    """Put the settings' folders and environment where imports look.

    Raises:
        SettingsError: if one of them cannot be read, or the environment is another Python's.
    """
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
            'Python, or run its functions in workers of its own: an executor with kind = "processes" and python = …'
        )
    raise SettingsError(f"venv: {venv} is no virtual environment (there is no lib/{version}/site-packages in it)")
