"""What can be said about a function without calling it, as plain data.

Pure Python without protobuf: also run by another environment's interpreter (`python -m callgate_server.inspection`),
for modules that only it can import.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from callgate_server.policy import Pattern, PolicyError, functions_of

__all__ = ["FunctionFacts", "ParameterFacts", "inspect_function"]

#: Docstrings and reprs are cut: a listing is no download. Arbitrary.
_MAX_DOC = 20_000
_MAX_REPR = 200


@dataclass(frozen=True, slots=True)
class ParameterFacts:
    """One parameter: its name, the number of its `inspect.Parameter.kind`, annotation and default as text."""

    name: str
    kind: int
    type: str
    default: str
    required: bool


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """A function, described.

    Attributes:
        kind: "plain", "generator", "coroutine" or "async generator".
        signature: as Python writes it, "" if Python cannot tell.
        parameters: in order.
        return_type: the return annotation as written, "" if there is none.
        doc: the docstring, without its indentation.
    """

    kind: str = "plain"
    signature: str = ""
    parameters: tuple[ParameterFacts, ...] = ()
    return_type: str = ""
    doc: str = ""

    @property
    def is_async(self) -> bool:
        """Whether it needs an event loop."""
        return self.kind in ("coroutine", "async generator")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FunctionFacts:
        """The opposite of `dataclasses.asdict`."""
        parameters = tuple(ParameterFacts(**parameter) for parameter in data.pop("parameters"))
        return cls(**data, parameters=parameters)


def inspect_function(function: Callable[..., Any]) -> FunctionFacts:
    """Describe a function; whatever its defaults' or annotations' own code does, this returns."""
    kind = kind_of(function)
    doc = _plain((inspect.getdoc(function) or "")[:_MAX_DOC])
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return FunctionFacts(kind=kind, doc=doc)  # a builtin that does not tell
    parameters = tuple(
        ParameterFacts(
            name=parameter.name,
            kind=int(parameter.kind),
            type=_annotation(parameter.annotation),
            default="" if parameter.default is inspect.Parameter.empty else _repr(parameter.default),
            required=parameter.default is inspect.Parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD),
        )
        for parameter in signature.parameters.values()
    )
    return_type = _annotation(signature.return_annotation)
    return FunctionFacts(kind, _written(parameters, return_type), parameters, return_type, doc)


def kind_of(function: Callable[..., Any]) -> str:
    """The function's kind, by FunctionFacts.kind."""
    if inspect.isasyncgenfunction(function):
        return "async generator"
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "plain"


def _written(parameters: tuple[ParameterFacts, ...], return_type: str) -> str:
    """The signature as its author would write it; str(Signature) puts quotes around annotations that are text."""
    words: list[str] = []
    seen: int | None = None
    for parameter in parameters:
        kind = parameter.kind
        if seen == inspect.Parameter.POSITIONAL_ONLY and kind != seen:
            words.append("/")
        if kind == inspect.Parameter.KEYWORD_ONLY and seen not in (kind, inspect.Parameter.VAR_POSITIONAL):
            words.append("*")
        stars = {int(inspect.Parameter.VAR_POSITIONAL): "*", int(inspect.Parameter.VAR_KEYWORD): "**"}.get(kind, "")
        word = stars + parameter.name
        if parameter.type:
            word += f": {parameter.type}"
        if parameter.default:
            word += f" = {parameter.default}" if parameter.type else f"={parameter.default}"
        words.append(word)
        seen = kind
    if seen == inspect.Parameter.POSITIONAL_ONLY:
        words.append("/")
    return f"({', '.join(words)})" + (f" -> {return_type}" if return_type else "")


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, str):
        return _plain(annotation[:500])
    try:
        return _plain(inspect.formatannotation(annotation)[:500])
    except Exception:  # an annotation's own repr
        return "?"


def _repr(value: object) -> str:
    try:
        return _plain(repr(value)[:_MAX_REPR])
    except Exception:  # its own repr
        return f"<{type(value).__name__}>"


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def main() -> None:
    """Describe modules to another process: patterns and sys.path as JSON on stdin, facts or an error as JSON on stdout.

    The answer goes to the real stdout; what modules print while they are imported goes to stderr.
    """
    out, sys.stdout = sys.stdout, sys.stderr
    asked = json.load(sys.stdin)
    sys.path[:0] = asked["path"]
    answer: dict[str, Any] = {}
    try:
        from callgate_server.loading import ModuleFailed

        try:
            found: dict[str, dict[str, Any]] = {}
            for module, function in asked["patterns"]:
                functions = functions_of(Pattern(module, function), allow_unsafe=asked["allow_unsafe"])
                facts = {name: asdict(inspect_function(target)) for name, target in functions.items()}
                found.setdefault(module, {}).update(facts)
            answer["functions"] = found
        except ModuleFailed as error:
            answer = {"module": error.module, "trace": error.trace}
    except PolicyError as error:
        answer = {"policy": str(error)}
    json.dump(answer, out)


if __name__ == "__main__":
    main()
