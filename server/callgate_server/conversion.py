"""A call's arguments towards its function's type hints: one converter for a function, prepared once.

Free of protobuf and grpc, and loads pydantic only with functions that use it: workers and sub-interpreters convert with
this, too. What becomes of a value is decided by `callgate.convert`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

from callgate.convert import Mismatch, converter

__all__ = ["ArgumentMismatch", "Arguments", "converter_for"]

#: Takes positional and keyword arguments, and returns them converted.
Arguments = Callable[[list[Any], dict[str, Any]], tuple[list[Any], dict[str, Any]]]


class ArgumentMismatch(TypeError):
    """An argument does not fit its parameter's type hint.

    Attributes:
        parameter: the parameter's name.
        problem: what is wrong with the argument.
        path: where in the argument, "[3].price"; "" for the argument itself.
    """

    def __init__(self, parameter: str, problem: str, path: str = "") -> None:
        super().__init__(parameter, problem, path)
        self.parameter = parameter
        self.problem = problem
        self.path = path

    def __str__(self) -> str:
        return f"{self.parameter}{self.path}: {self.problem}"


def converter_for(function: Callable[..., Any]) -> Arguments | None:
    """Prepare the conversion of a function's arguments.

    Args:
        function: the function; also a class, a method or another callable.

    Returns:
        A function that converts, raising ArgumentMismatch for an argument that does not fit its hint; None if there is
        nothing to convert: no hints, or only such as any value meets. Whether the arguments bind is not looked at.
    """
    try:
        signature = _signature(function)
    except Exception:  # a builtin without one, or annotations that raise
        return None
    if hasattr(function, "raw_function"):  # pydantic's validate_call converts, by the rules that its author chose
        return None
    names = _Names(function)
    positional: list[tuple[str, Callable[[Any], Any] | None]] = []
    named: dict[str, Callable[[Any], Any] | None] = {}
    more: tuple[str, Callable[[Any], Any] | None] | None = None
    more_named: Callable[[Any], Any] | None = None
    for parameter in signature.parameters.values():
        convert = _converter(parameter, names)
        if parameter.kind is parameter.VAR_POSITIONAL:
            more = (parameter.name, convert)
        elif parameter.kind is parameter.VAR_KEYWORD:
            more_named = convert
        else:
            if parameter.kind is not parameter.KEYWORD_ONLY:
                positional.append((parameter.name, convert))
            if parameter.kind is not parameter.POSITIONAL_ONLY:
                named[parameter.name] = convert
    if not any((*(c for _, c in positional), *named.values(), more and more[1], more_named)):
        return None

    def convert_arguments(args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        name = ""
        try:
            # Too many arguments are for the call itself to refuse.
            for index, (name, convert) in zip(range(len(args)), positional, strict=False):  # noqa: B007  # the error's
                if convert is not None:
                    args[index] = convert(args[index])
            if more is not None and more[1] is not None:
                for index in range(len(positional), len(args)):
                    name = f"{more[0]}[{index - len(positional)}]"
                    args[index] = more[1](args[index])
            for name in kwargs:
                convert = named.get(name, more_named)
                if convert is not None:
                    kwargs[name] = convert(kwargs[name])
        except Mismatch as mismatch:
            raise ArgumentMismatch(name, mismatch.problem, mismatch.path) from None
        except Exception as error:  # the code of a type: a validator, an Enum's _missing_, a key's __eq__
            raise ArgumentMismatch(name, f"its type refuses it: {type(error).__name__}") from error
        return args, kwargs

    return convert_arguments


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        import annotationlib  # a name that is not there (TYPE_CHECKING) costs only its own parameter

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def _converter(parameter: inspect.Parameter, names: _Names) -> Callable[[Any], Any] | None:
    hint = parameter.annotation
    if hint is parameter.empty:
        return None
    try:
        if isinstance(hint, str):
            hint = names.evaluate(hint)
        convert = converter(hint)
    except Exception:  # a name that is not there at run time, or a hint that is none
        return None
    if convert is None or parameter.default is not None:
        return convert
    # `x: int = None` means int | None, however often it is written so.
    return lambda value: None if value is None else convert(value)


class _Names:
    """The names that a function's string annotations mean."""

    def __init__(self, function: Any) -> None:
        function = inspect.unwrap(function)
        while hasattr(function, "func"):  # functools.partial
            function = function.func
        if isinstance(function, type):
            module = sys.modules.get(function.__module__)
            self._globals = vars(module) if module is not None else {}
        else:
            function = getattr(function, "__func__", function)
            if not hasattr(function, "__globals__"):  # a callable object
                function = getattr(type(function).__call__, "__func__", type(function).__call__)
            self._globals = getattr(function, "__globals__", {})

    def evaluate(self, hint: str) -> Any:
        """Evaluate an annotation: the function's own module's code, never a client's text."""
        return eval(hint, dict(self._globals))
