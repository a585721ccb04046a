"""`callgate list`, `describe`, `health` and `reload`: what a person or a script asks a running server."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from callgate._info import FunctionInfo
from callgate.client import Gate
from callgate.errors import CallgateError
from callgate_server.cli.arguments import AsJson, FunctionName, split_name
from callgate_server.cli.connection import (
    CaFile,
    CertFile,
    KeyFile,
    Server,
    Timeout,
    TokenFile,
    complain,
    open_gate,
)
from callgate_server.cli.exit_codes import ExitCode

__all__ = ["describe", "health", "list_functions", "reload"]


def list_functions(
    module: Annotated[str, typer.Argument(help="Only this module's.", show_default=False)] = "",
    as_json: AsJson = False,
    timeout: Timeout = 10.0,
    server: Server = None,
    token_file: TokenFile = None,
    tls_ca: CaFile = None,
    tls_cert: CertFile = None,
    tls_key: KeyFile = None,
) -> None:
    """List the functions that you may call, with their signatures."""
    with open_gate(server, token_file, tls_ca, tls_cert, tls_key) as gate:
        try:
            functions = gate.functions(module, timeout=timeout)
        except CallgateError as error:
            complain(error)
    if as_json:
        print(json.dumps([_as_dict(info) for info in functions], indent=2))
        return
    width = max((min(len(str(info)), 70) for info in functions), default=0)
    for info in functions:
        kind = "" if info.kind == "function" else f", {info.kind}"
        note = f" ({info.note})" if info.note else ""
        print(f"{info!s:<{width}}  {info.executor_kind}{kind}{note}".rstrip())


def describe(
    function: FunctionName,
    as_json: AsJson = False,
    timeout: Timeout = 10.0,
    server: Server = None,
    token_file: TokenFile = None,
    tls_ca: CaFile = None,
    tls_cert: CertFile = None,
    tls_key: KeyFile = None,
) -> None:
    """Show a function's signature, parameters, documentation, and how it runs."""
    module, name = split_name(function)
    with open_gate(server, token_file, tls_ca, tls_cert, tls_key) as gate:
        try:
            info = gate.function(module, name, timeout=timeout)
        except CallgateError as error:
            complain(error)
    if as_json:
        print(json.dumps(_as_dict(info), indent=2))
        return
    print(info)
    for line in info.doc.splitlines():
        print(f"    {line}".rstrip())
    print(f"\n    kind      {info.kind}")
    executor = info.executor_kind if info.executor == info.executor_kind else f"{info.executor} ({info.executor_kind})"
    print(f"    executor  {executor}")
    if info.note:
        print(f"              {info.note}")
    if info.timeout is not None:
        print(f"    timeout   {info.timeout:g} s")


def health(
    service: Annotated[
        str, typer.Argument(help="A service's name; empty for the server as a whole.", show_default=False)
    ] = "",
    timeout: Timeout = 5.0,
    server: Server = None,
    token_file: TokenFile = None,
    tls_ca: CaFile = None,
    tls_cert: CertFile = None,
    tls_key: KeyFile = None,
) -> None:
    """Ask whether the server is serving; exit code 0 if it is, 4 if it is not or is not there."""
    with open_gate(server, token_file, tls_ca, tls_cert, tls_key, wait=timeout) as gate:
        status = _health(gate, service, timeout)
    print(status)
    if status != "SERVING":
        raise typer.Exit(ExitCode.UNAVAILABLE)


def reload(
    timeout: Timeout = 60.0,
    server: Server = None,
    token_file: TokenFile = None,
    tls_ca: CaFile = None,
    tls_cert: CertFile = None,
    tls_key: KeyFile = None,
) -> None:
    """Have the server load its modules anew; calls on their way end on the old code, and none fails."""
    with open_gate(server, token_file, tls_ca, tls_cert, tls_key) as gate:
        try:
            functions = gate.reload(timeout=timeout)
        except CallgateError as error:
            complain(error)
    print(f"reloaded: {functions} functions")


def _health(gate: Gate, service: str, timeout: float) -> str:
    try:
        return gate.health(service, timeout=timeout)
    except CallgateError as error:
        complain(error)


def _as_dict(info: FunctionInfo) -> dict[str, Any]:
    parameters = [
        {"name": p.name, "kind": p.kind, "type": p.type, "default": p.default, "required": p.required}
        for p in info.parameters
    ]
    return {
        "module": info.module, "function": info.function, "signature": info.signature, "parameters": parameters,
        "return_type": info.return_type, "doc": info.doc, "kind": info.kind, "executor": info.executor,
        "executor_kind": info.executor_kind, "note": info.note, "timeout": info.timeout,
    }  # fmt: skip
