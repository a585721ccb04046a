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
from callgate_server.cli.exit_codes import ExitCode
from callgate_server.cli.targets import patterns_of
from callgate_server.logs import configure_logs
from callgate_server.policy import PolicyError
from callgate_server.registry import ModuleFailed
from callgate_server.settings import Settings, SettingsError, load_settings

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
    listen: Annotated[str | None, typer.Option(metavar="ADDR", help="HOST:PORT (port 0: any free one) or unix:PATH. [default: 127.0.0.1:50051]", show_default=False)] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Settings file. [default: ./callgate.toml if it is there]", show_default=False)] = None,
    executor: Annotated[str | None, typer.Option(metavar="NAME", help="What runs the functions. [default: serial, one call at a time]", show_default=False)] = None,
    transport: Annotated[str | None, typer.Option(metavar="NAME", help="What carries RPCs. [default: grpcio]", show_default=False)] = None,
    path: Annotated[list[Path] | None, typer.Option(metavar="DIR", help="Folder to import from; may come again.", show_default=False)] = None,
    venv: Annotated[Path | None, typer.Option(metavar="DIR", help="Virtual environment to import from.", show_default=False)] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Server certificate, PEM; turns TLS on.", show_default=False)] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key, PEM.", show_default=False)] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(metavar="FILE", help="Who signs clients' certificates, PEM: asks clients for one (mutual TLS).", show_default=False)] = None,
    tokens: Annotated[Path | None, typer.Option(metavar="FILE", help="Token file (see `callgate token`): asks clients for a token.", show_default=False)] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Listen beyond loopback without TLS and authentication.")] = False,
    allow_unsafe: Annotated[bool, typer.Option("--allow-unsafe", help="Let functions that can run code be exposed one by one.")] = False,
    log_level: Annotated[str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error. [default: info]", show_default=False)] = None,
) -> None:
    """Serve functions over gRPC until Ctrl-C or SIGTERM, which let calls on their way end.

    callgate serve math statistics.mean json.dumps

    callgate serve mymodule.py --listen 127.0.0.1:6000

    callgate serve --config callgate.toml
    """
    # The flags, as keys of the settings; what was not said stays out, for the file and the environment to say.
    flags: dict[str, Any] = {
        "listen": listen, "executor": executor, "transport": transport, "path": path, "venv": venv,
        "insecure": insecure or None, "allow_unsafe": allow_unsafe or None,
        "log": {"level": log_level} if log_level else None,
        "auth": {"tokens": tokens} if tokens else None,
        "tls": {k: v for k, v in (("certificate", tls_cert), ("key", tls_key), ("client_ca", tls_client_ca)) if v} or None,
    }  # fmt: skip
    try:
        settings = load_settings(config, {key: value for key, value in flags.items() if value is not None})
        configure_logs(settings.log.level, settings.log.format)
        _run(settings, targets or [])
    except (SettingsError, PolicyError) as error:
        _fail(ExitCode.BAD_SETTINGS, str(error))
    except ModuleFailed as error:
        print(error.trace, end="", file=sys.stderr)
        _fail(ExitCode.MODULE_FAILED, str(error))


def _run(settings: Settings, targets: list[str]) -> None:
    # Late: the command line is there before grpc is.
    from callgate_server.server import Server, extend_path
    from callgate_server.transports.base import TransportFailed

    extend_path(settings)
    if targets:
        rule = {"functions": tuple(patterns_of(targets))}
        # Validated like the rest: model_copy would take anything.
        settings = settings.model_copy(update={"expose": (*_rules(rule), *settings.expose)})
    server = Server(settings, on_main_thread=True)
    try:
        server.start()
    except TransportFailed as error:
        _fail(ExitCode.CANNOT_LISTEN, str(error))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.request_stop())
    print(_banner(server), flush=True)
    server.run()
    print("stopping: calls on their way may end; again to stop at once", file=sys.stderr, flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(ExitCode.OK))
    # A function stuck in C holds its thread, and the interpreter would wait for that thread for ever.
    last = threading.Timer(settings.drain + _LAST_RESORT, os._exit, (ExitCode.OK,))
    last.daemon = True
    last.start()
    if not server.stop():
        print(f"cut off calls that did not end within {settings.drain:g} s", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(ExitCode.OK)


def _rules(rule: dict[str, Any]) -> tuple[Any, ...]:
    from callgate_server.settings import Expose

    return (Expose(**rule),)


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
    for name, executor in server.executors.items():
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
