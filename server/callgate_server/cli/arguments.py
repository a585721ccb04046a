"""What stands on a command line for names, arguments and results."""

from __future__ import annotations

import ast
import json
from typing import Annotated, Any

import typer

from callgate_server.cli.connection import usage

__all__ = ["AsJson", "FunctionName", "NoJsonForm", "keyword", "split_name", "to_json", "value"]

FunctionName = Annotated[
    str, typer.Argument(metavar="MODULE.FUNCTION", help="The function: math.sqrt", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


class NoJsonForm(TypeError):
    """A result that JSON has no form for."""


def split_name(function: str) -> tuple[str, str]:
    """A module and a function of it; ends the command if there are none."""
    module, dot, name = function.rpartition(".")
    if not dot or not module or not name:
        usage(f"{function!r} names no function: write MODULE.FUNCTION, as in math.sqrt")
    return module, name


def value(text: str) -> Any:
    """A Python literal, or JSON (`true`, `null`); ends the command if it is neither."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        usage(f"{text!r} is neither a Python literal nor JSON; a string wants its own quotes: '\"{text}\"'")


def keyword(text: str) -> tuple[str, Any]:
    """A keyword argument's name and value; ends the command if it is none."""
    name, equals, written = text.partition("=")
    if not equals or not name.isidentifier():
        usage(f"--kw {text!r}: write NAME=VALUE, as in --kw indent=2")
    return name, value(written)


def to_json(result: Any) -> str:
    """A result as JSON, on one line.

    Raises:
        NoJsonForm: if it has none.
    """
    try:
        return json.dumps(result, default=_other, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise NoJsonForm(str(error)) from None


def _other(item: Any) -> Any:
    if isinstance(item, set | frozenset):
        return list(item)
    raise TypeError(f"a {type(item).__name__} has no JSON form")
