"""`callgate call`, `list`, `describe` and `health`: what a person or a script asks a running server."""

from __future__ import annotations

import ast
import json
from typing import Annotated, Any

import typer

from callgate._info import FunctionInfo
from callgate.client import Gate
from callgate.errors import CallgateError
from callgate_server.cli.connection import (
    CaFile,
    CertFile,
    KeyFile,
    Server,
    Timeout,
    TokenFile,
    complain,
    open_gate,
    usage,
)
from callgate_server.cli.exit_codes import ExitCode

__all__ = ["call", "describe", "health", "list_functions", "reload"]

FunctionName = Annotated[
    str, typer.Argument(metavar="MODULE.FUNCTION", help="The function: math.sqrt", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


def call(
    function: FunctionName,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ARG]...", help="Python literals or JSON: 16.0 '[1, 2]' '\"text\"'", show_default=False
        ),
    ] = None,
    kw: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A keyword argument; may come again.")
    ] = None,
    as_json: AsJson = False,
    timeout: Timeout = 60.0,
    server: Server = None,
    token_file: TokenFile = None,
    tls_ca: CaFile = None,
    tls_cert: CertFile = None,
    tls_key: KeyFile = None,
) -> None:
    """Call a function and print what it returns.

    callgate call math.sqrt 16.0

    callgate call statistics.mean '[1, 2, 3, 4]'

    callgate call json.dumps '{"a": [1, null]}' --kw indent=2
    """
    module, name = _split(function)
    args = [_value(text) for text in arguments or ()]
    kwargs = dict(_keyword(text) for text in kw or ())
    with open_gate(server, token_file, tls_ca, tls_cert, tls_key) as gate:
        try:
            result = gate.call_with(module, name, args, kwargs, timeout=timeout)
        except CallgateError as error:
            complain(error)
    print(_json(result) if as_json else repr(result))


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
    module, name = _split(function)
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


def _split(function: str) -> tuple[str, str]:
    module, dot, name = function.rpartition(".")
    if not dot or not module or not name:
        usage(f"{function!r} names no function: write MODULE.FUNCTION, as in math.sqrt")
    return module, name


def _value(text: str) -> Any:
    """A Python literal, or JSON (`true`, `null`)."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        usage(f"{text!r} is neither a Python literal nor JSON; a string wants its own quotes: '\"{text}\"'")


def _keyword(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        usage(f"--kw {text!r}: write NAME=VALUE, as in --kw indent=2")
    return name, _value(value)


def _json(value: Any) -> str:
    def other(item: Any) -> Any:
        if isinstance(item, set | frozenset):
            return list(item)
        raise TypeError(f"a {type(item).__name__} has no JSON form; leave --json out")

    try:
        return json.dumps(value, default=other, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        usage(str(error))


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
