"""`callgate call`: one call, a stream's items, or a file of calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from callgate.client import Gate
from callgate.errors import CallgateError, FailedPrecondition
from callgate_server.cli.arguments import AsJson, FunctionName, NoJsonForm, keyword, split_name, to_json, value
from callgate_server.cli.call_map import call_each, open_lines
from callgate_server.cli.connection import CaFile, CertFile, KeyFile, Server, TokenFile, complain, open_gate, usage
from callgate_server.cli.exit_codes import ExitCode

__all__ = ["call"]

#: Seconds for a call; long for a person who waits, short beside a hung server.
_CALL_SECONDS = 60.0


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
    map_file: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="Call once for each line of a JSON lines file (- for standard input): a list of arguments, "
            '{"args": […], "kwargs": {…}}, or another value as the only argument.',
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds for the call, the whole stream, or each call of --map. (default: 60, none for a stream)",
            min=0.001,
            show_default=False,
        ),
    ] = None,
    server: Server = None,
    token_file: TokenFile = None,
    tls_ca: CaFile = None,
    tls_cert: CertFile = None,
    tls_key: KeyFile = None,
) -> None:
    """Call a function and print what it returns; of a generator, each item on a line as it comes.

    callgate call math.sqrt 16.0

    callgate call statistics.mean '[1, 2, 3, 4]'

    callgate call json.dumps '{"a": [1, null]}' --kw indent=2

    callgate call math.sqrt --map numbers.jsonl    (prints {"index": 0, "result": 4.0} and so on, in order)
    """
    module, name = split_name(function)
    if map_file is not None and (arguments or kw):
        usage("--map takes the arguments from its file: give no others")
    args = [value(text) for text in arguments or ()]
    kwargs = dict(keyword(text) for text in kw or ())
    show = to_json if as_json else repr
    lines = open_lines(map_file) if map_file is not None else None
    with open_gate(server, token_file, tls_ca, tls_cert, tls_key) as gate:
        try:
            if lines is not None:
                failed = call_each(gate, module, name, lines, _CALL_SECONDS if timeout is None else timeout)
                if failed:
                    raise typer.Exit(ExitCode.REMOTE_EXCEPTION)
            else:
                _print_each(_results(gate, module, name, args, kwargs, timeout), show)
        except CallgateError as error:
            complain(error)
        except NoJsonForm as error:
            usage(f"{error}; leave --json out")
        except BrokenPipeError:
            # Whoever read has gone (`| head`). What is left in the buffer must not be tried again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitCode.OK) from None


def _results(
    gate: Gate, module: str, name: str, args: list[Any], kwargs: dict[str, Any], timeout: float | None
) -> Iterable[Any]:
    try:
        return [gate.call_with(module, name, args, kwargs, timeout=_CALL_SECONDS if timeout is None else timeout)]
    except FailedPrecondition as error:
        if error.reason != "WRONG_METHOD":
            raise
    # It is a stream, and has not started.
    return gate.stream_with(module, name, args, kwargs, timeout=timeout)


def _print_each(results: Iterable[Any], show: Callable[[Any], str]) -> None:
    for result in results:
        print(show(result), flush=True)
