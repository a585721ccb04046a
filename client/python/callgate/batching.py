"""`@callgate.batched`: a function that works on many at once, called one at a time.

    @callgate.batched(max_size=64, max_delay="2ms")
    def embed(texts: list[str]) -> list[list[float]]:
        return model.encode(texts).tolist()

Callers call `embed("some text")`. The server gathers calls that come together, calls the function once with a list of
their arguments, and gives each caller its own result. Pure Python, for functions in workers and sub-interpreters.
"""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable
from typing import Any

from callgate.described import describe, without_values

__all__ = ["Batched", "WrongLength", "batched", "runnable"]

_DELAY = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")


class WrongLength(ValueError):
    """A batched function returned another number of results than it was given arguments, or no list."""


class Batched:
    """A function that callers call one at a time, and that runs on many; what `batched` makes.

    Attributes:
        max_size: how many calls to gather at most.
        max_delay: how long the first of them waits for others, seconds.
        many: what runs: the function, checked.
    """

    def __init__(self, function: Callable[..., Any], max_size: int, max_delay: float) -> None:
        functools.update_wrapper(self, function)
        self.max_size = max_size
        self.max_delay = max_delay
        self.many = Many(function)
        self.__signature__ = _signature_for_one(function)

    def __call__(self, item: Any, /) -> Any:
        """Run it on one, as a caller in the same process does.

        Raises:
            WrongLength: if the function does not return a list of one.
        """
        (good, value) = self.many.results([item])[0]
        if good:
            return value
        try:
            raise value
        finally:
            del value  # its traceback has this frame


class Many:
    """The function itself, on a list of arguments; what executors run.

    Returns a list of pairs: (True, result), or (False, the exception as plain data) where the function returned an
    exception in a result's place.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    def __call__(self, items: list[Any], /) -> list[tuple[bool, Any]]:
        """Run it.

        Raises:
            WrongLength: if it does not return as many results as there are items; the whole batch fails.
        """
        return [(good, value if good else without_values(describe(value))) for good, value in self.results(items)]

    def results(self, items: list[Any]) -> list[tuple[bool, Any]]:
        """Run it; an exception in a result's place stays one."""
        results = self._function(items)
        if not isinstance(results, list | tuple):
            raise WrongLength(
                f"{self._function.__qualname__} is batched and must return a list; it returned a "
                f"{type(results).__name__}, so all {len(items)} calls of this batch fail"
            )
        if len(results) != len(items):
            raise WrongLength(
                f"{self._function.__qualname__} was given {len(items)} arguments and returned {len(results)} results: "
                "nobody can tell whose they are, so all calls of this batch fail"
            )
        return [(not isinstance(result, BaseException), result) for result in results]


def batched(*, max_size: int = 64, max_delay: str | float = "2ms") -> Callable[[Callable[..., Any]], Batched]:
    """Have single calls of a function that takes a list gathered into one.

    The function takes one list and returns a list of as many results, in the same order; a result that is an exception
    is raised at its caller. If it raises, all calls of the batch fail with that.

    Args:
        max_size: how many calls to gather at most.
        max_delay: how long the first of them waits for others: "2ms", "0.5s" or seconds. While an earlier batch runs,
            calls gather without it.

    Returns:
        The decorator.

    Raises:
        ValueError: if an argument makes no sense.
        TypeError: if the function is async or cannot take one list.
    """
    if max_size < 1:
        raise ValueError(f"max_size is {max_size!r}; 1 or more is right")
    delay = _seconds(max_delay)

    def decorate(function: Callable[..., Any]) -> Batched:
        if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
            raise TypeError("batched() is for a plain function that takes one list and returns a list")
        required = [
            parameter
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is parameter.empty and parameter.kind in (0, 1)
        ]
        if len(required) != 1:
            raise TypeError(f"{function.__qualname__} must take one list; it has {len(required)} parameters")
        return Batched(function, max_size, delay)

    return decorate


def runnable(function: Callable[..., Any]) -> Callable[..., Any]:
    """What executors run for an exposed function: the function, or its form for many."""
    return function.many if type(function) is Batched else function


def _seconds(delay: str | float) -> float:
    if isinstance(delay, str):
        match = _DELAY.fullmatch(delay)
        if match is None:
            raise ValueError(f"max_delay is {delay!r}; write '2ms', '0.5s' or seconds")
        return float(match[1]) * (0.001 if match[2] == "ms" else 1.0)
    if not 0 <= delay <= 60:
        raise ValueError(f"max_delay is {delay!r} s; 0 to 60 is right")
    return float(delay)


def _signature_for_one(function: Callable[..., Any]) -> inspect.Signature:
    """The signature that callers see: the elements of the lists."""
    signature = inspect.signature(function)
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # names that cannot be resolved: the annotations stay out
        hints = {}
    first = next(iter(signature.parameters.values()))
    empty = inspect.Parameter.empty
    parameter = inspect.Parameter(
        first.name, inspect.Parameter.POSITIONAL_ONLY, annotation=_element(hints.get(first.name), empty)
    )
    return inspect.Signature([parameter], return_annotation=_element(hints.get("return"), empty))


def _element(hint: Any, otherwise: Any) -> Any:
    arguments = typing.get_args(hint)
    return arguments[0] if typing.get_origin(hint) in (list, tuple) and arguments else otherwise
