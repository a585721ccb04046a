"""Options that every command which talks to a server has, and the Gate made from them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from callgate.client import Gate, connect
from callgate.errors import CallgateError
from callgate_server.cli.exit_codes import ExitCode, exit_code_of

__all__ = ["CaFile", "CertFile", "KeyFile", "Server", "Timeout", "TokenFile", "complain", "open_gate"]

Server = Annotated[
    str | None,
    typer.Option(help="HOST:PORT or unix:PATH. (default: $CALLGATE_SERVER, else 127.0.0.1:50051)", show_default=False),
]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for the answer.", min=0.001)]
TokenFile = Annotated[
    Path | None,
    typer.Option(help="File that holds a bearer token. (default: the token in $CALLGATE_TOKEN)", show_default=False),
]
CaFile = Annotated[
    Path | None, typer.Option("--tls-ca", help="PEM file of who signs the server's certificate; turns TLS on.")
]
CertFile = Annotated[
    Path | None, typer.Option("--tls-cert", help="PEM file of this client's own certificate (mutual TLS).")
]
KeyFile = Annotated[Path | None, typer.Option("--tls-key", help="PEM file of its key.")]


def open_gate(
    server: str | None, token_file: Path | None, ca: Path | None, cert: Path | None, key: Path | None, wait: float = 5.0
) -> Gate:
    """A Gate from the options; ends the command if there is no server."""
    token: str | None = None
    try:
        if token_file is not None:
            token = token_file.read_text("utf-8").strip()
        return connect(server, ca=ca, certificate=cert, key=key, token=token, wait=wait)
    except OSError as error:
        if isinstance(error, CallgateError):
            complain(error)
        usage(f"--token-file {token_file}: {error.strerror}")
    except ValueError as error:
        usage(str(error))


def usage(message: str) -> NoReturn:
    """End the command: it was called wrongly."""
    print(f"callgate: {message}", file=sys.stderr)
    raise typer.Exit(ExitCode.USAGE)


def complain(error: Any) -> NoReturn:
    """End the command with what went wrong, and the exit code for it."""
    notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
    name = getattr(error, "remote_type", "") or type(error).__name__
    print(f"{name}: {error}{notes}", file=sys.stderr)
    raise typer.Exit(exit_code_of(error))
