"""`callgate serve`: run a server."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from callgate import __version__
from callgate.memory import keep_freed_memory
from callgate_server.cli.exit_codes import ExitCode
from callgate_server.cli.targets import read_targets
from callgate_server.loading import ModuleFailed
from callgate_server.logs import configure_logs
from callgate_server.policy import PolicyError
from callgate_server.settings import Expose, Settings, SettingsError, load_settings

__all__ = ["serve"]

#: Seconds after the drain by which a stopping server has ended, even with a function stuck in C.
_LAST_RESORT = 5.0


def serve(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET]...",
            help="What to expose: a module (math), a pattern (statistics.*), a function (json.dumps), a file "
            "(mymodule.py) or a package's folder (examples/).",
            show_default=False,
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="ADDR",
            help="HOST:PORT (port 0: any free one) or unix:PATH. (default: 127.0.0.1:50051)",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Settings file. (default: ./callgate.toml if it is there)", show_default=False
        ),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What runs the functions: serial, threads, coroutines, interpreters, processes, or the name of an "
            "executor in the settings. (default: serial, one call at a time)",
            show_default=False,
        ),
    ] = None,
    transport: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What carries RPCs: grpcio, or native, which is faster and has no TLS. (default: grpcio)",
            show_default=False,
        ),
    ] = None,
    path: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Folder to import from; may come again.", show_default=False),
    ] = None,
    venv: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Virtual environment to import from.", show_default=False)
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Server certificate, PEM; turns TLS on.", show_default=False)
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key, PEM.", show_default=False)] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Who signs clients' certificates, PEM: asks clients for one (mutual TLS).",
            show_default=False,
        ),
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Token file (see `callgate token`): asks clients for a token.", show_default=False
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond loopback without TLS and authentication.")
    ] = False,
    allow_unsafe: Annotated[
        bool, typer.Option("--allow-unsafe", help="Let functions that can run code be exposed one by one.")
    ] = False,
    reload: Annotated[
        bool, typer.Option("--reload", help="While developing: load changed files anew as they are saved.")
    ] = False,
    log_level: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="debug, info, warning or error. (default: info)", show_default=False),
    ] = None,
) -> None:
    """Serve functions over gRPC until Ctrl-C or SIGTERM, which let calls on their way end.

    callgate serve math statistics.mean json.dumps

    callgate serve mymodule.py --listen 127.0.0.1:6000

    callgate serve --config callgate.toml
    """
    tls = {"certificate": tls_cert, "key": tls_key, "client_ca": tls_client_ca}
    # The flags, as keys of the settings; what was not said stays out, for the file and the environment to say.
    flags: dict[str, Any] = {
        "listen": listen, "executor": executor, "transport": transport, "path": path, "venv": venv,
        "insecure": insecure or None, "allow_unsafe": allow_unsafe or None,
        "log": {"level": log_level} if log_level else None,
        "auth": {"tokens": tokens} if tokens else None,
        "tls": {key: value for key, value in tls.items() if value} or None,
    }  # fmt: skip
    try:
        settings = load_settings(config, {key: value for key, value in flags.items() if value is not None})
        configure_logs(settings.log.level, settings.log.format)
        _run(settings, targets or [], watch=reload)
    except (SettingsError, PolicyError) as error:
        _fail(ExitCode.BAD_SETTINGS, str(error))
    except ModuleFailed as error:
        print(error.trace, end="", file=sys.stderr)
        _fail(ExitCode.MODULE_FAILED, str(error))


def _run(settings: Settings, targets: list[str], *, watch: bool) -> None:
    keep_freed_memory()
    # Late: the command line is there before grpc is.
    from callgate_server.server import Server, extend_path
    from callgate_server.transports.base import TransportFailed

    extend_path(settings)
    if targets:
        read = read_targets(targets)
        settings = settings.model_copy(
            update={
                "expose": (Expose(functions=read.patterns), *settings.expose),
                "path": (*dict.fromkeys((*settings.path, *read.folders)),),
            }
        )
    server = Server(settings, on_main_thread=True)
    try:
        server.start()
    except TransportFailed as error:
        _fail(ExitCode.CANNOT_LISTEN, str(error))
    _wake_main_at_signals(server)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.request_stop())
    # On a thread: a reload may take seconds, and the main thread may have functions to run.
    signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=_reload, args=(server,), daemon=True).start())
    print(_banner(server), flush=True)
    if watch:
        threading.Thread(target=_watch, args=(server,), name="callgate-watch", daemon=True).start()
    server.run()
    server.refuse()
    if not server.gave_up:
        print("stopping: calls on their way may end; again to stop at once", file=sys.stderr, flush=True)
    _stop(server)


def _wake_main_at_signals(server: Any) -> None:
    """Have the main thread run its signal handlers, wherever a signal finds it.

    Python runs them on the main thread, between two of its instructions. A signal that comes after the last of those
    and before the system call in which that thread waits for work does not end the wait, and one that the kernel gives
    to another thread never does. But each writes to the wakeup descriptor at once, in C.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)  # full: there is enough in it to wake up for

    def wake() -> None:
        while os.read(reader, 64):
            server.on_main(lambda: None)

    threading.Thread(target=wake, name="callgate-signals", daemon=True).start()


def _stop(server: Any) -> None:
    """Drain and exit, whatever functions do."""
    code = ExitCode.GAVE_UP if server.gave_up else ExitCode.OK
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(code))
    # A function stuck in C holds its thread, and the interpreter would wait for that thread for ever.
    last = threading.Timer(server.settings.drain + _LAST_RESORT, os._exit, (code,))
    last.daemon = True
    last.start()
    drained = server.stop(0.0 if server.gave_up else None)
    if server.gave_up:
        print(f"callgate serve: gave up: {server.gave_up}", file=sys.stderr, flush=True)
    elif not drained:
        print(f"cut off calls that did not end within {server.settings.drain:g} s", file=sys.stderr, flush=True)
    sys.stdout.flush()
    if not drained:
        os._exit(code)
    raise typer.Exit(code)


def _reload(server: Any) -> None:
    try:
        registry = server.reload()
    except ModuleFailed as error:
        print(f"{error.trace}callgate serve: {error}; the old code stays in use", file=sys.stderr, flush=True)
    except (PolicyError, SettingsError) as error:
        print(f"callgate serve: {error}; the old code stays in use", file=sys.stderr, flush=True)
    else:
        print(f"reloaded: {len(registry)} functions", flush=True)


def _watch(server: Any) -> None:
    """Reload whenever a Python file in the functions' folders is saved."""
    from watchfiles import PythonFilter, watch

    folders = [str(folder) for folder in server.settings.path]
    if not folders:
        print("--reload: nothing to watch: no file, folder or --path was named", file=sys.stderr, flush=True)
        return
    print(f"watching {', '.join(folders)}", flush=True)
    for _ in watch(*folders, watch_filter=PythonFilter()):
        _reload(server)


def _banner(server: Any) -> str:
    """What is exposed, how it runs, and one line to try."""
    settings: Settings = server.settings
    security = "TLS" if settings.tls else "plain text"
    if settings.auth.tokens:
        security += ", tokens"
    if settings.tls and settings.tls.client_ca:
        security += ", client certificates"
    lines = [f"Callgate {__version__} serves on {server.address} ({settings.transport}, {security})"]
    modules: dict[str, list[Any]] = {}
    for exposed in server.registry:
        modules.setdefault(exposed.module, []).append(exposed)
    width = max(map(len, modules))
    for module, functions in modules.items():
        names = [function.name for function in functions]
        shown = ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:5])}, … ({len(names)} functions)"
        executors = ", ".join(sorted({function.executor for function in functions}))
        lines.append(f"  {module:<{width}}  {shown}  [{executors}]")
    for name, executor in server.dispatcher.executors.items():
        lines.append(f"executor {name}: {executor.kind}, {executor.describe()}")
    lines.append(f"try:  callgate call {_example(server)}")
    if server.address != "127.0.0.1:50051":
        lines[-1] += f" --server {server.address}"
    return "\n".join(lines)


def _example(server: Any) -> str:
    known = {exposed.full_name for exposed in server.registry}
    for name, arguments in (("math.sqrt", "16.0"), ("builtins.len", "'[1, 2, 3]'"), ("json.dumps", "'{\"a\": 1}'")):
        if name in known:
            return f"{name} {arguments}"
    first = next(iter(server.registry))
    return f"{first.full_name} …"


def _fail(code: ExitCode, message: str) -> NoReturn:
    for line in message.splitlines():
        print(f"callgate serve: {line}", file=sys.stderr)
    raise typer.Exit(code)
