"""The functions that callers may reach: default deny, made once at start, looked up by one dict access.

A client's text is only ever a key. Nothing is resolved from it: no getattr, no import, no dots.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import inspect
import sys
import traceback
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callgate.failures import CallFailed, gate_failure
from callgate.v1 import function_pb2 as pb
from callgate_server.policy import Pattern, PolicyError, parse_pattern, public_functions, refuse_unsafe

__all__ = ["Exposed", "ExposureRule", "ModuleFailed", "Registry", "load_file"]

#: Names longer than this are refused before anything is done with them; longer than any in use.
MAX_NAME = 512


class ModuleFailed(Exception):
    """A module to be exposed could not be imported.

    Args:
        module: its name or file.
        trace: the traceback, ready to print, without the importer's own frames.
    """

    def __init__(self, module: str, trace: str) -> None:
        super().__init__(f"{module} could not be imported")
        self.module = module
        self.trace = trace


@dataclass(frozen=True, slots=True)
class ExposureRule:
    """One `[[expose]]` table.

    Attributes:
        functions: patterns.
        executor: the executor's name; None for the default.
        timeout: the server's own limit on a call's time, seconds; None for none.
    """

    functions: tuple[str, ...]
    executor: str | None = None
    timeout: float | None = None


@dataclass(frozen=True, eq=False)
class Exposed:
    """One exposed function.

    Attributes:
        module: the module as callers name it.
        name: the function as callers name it.
        function: the function.
        executor: the name of the executor that runs it.
        timeout: the server's own limit on a call's time, seconds; None for none.
        kind: what kind of function it is, a number of `callgate.v1.FunctionKind`.
        notes: why it runs elsewhere than its rule says, if it does; may grow while executors start.
    """

    module: str
    name: str
    function: Callable[..., Any] = field(repr=False)
    executor: str = "default"
    timeout: float | None = None
    kind: int = pb.FUNCTION_KIND_PLAIN
    notes: list[str] = field(default_factory=list, repr=False)

    @property
    def full_name(self) -> str:
        """`module.name`."""
        return f"{self.module}.{self.name}"

    @functools.cached_property
    def signature(self) -> inspect.Signature | None:
        """Its signature; None for a builtin that has none."""
        try:
            return inspect.signature(self.function)
        except (ValueError, TypeError):
            return None


class Registry:
    """Exposed functions by (module, name).

    Args:
        rules: what to expose; the first rule that names a function decides about it.
        default_executor: for rules that name none.
        allow_unsafe: whether functions that can run code may be named.

    Raises:
        PolicyError: if a rule is wrong or nothing is exposed.
        ModuleFailed: if a module cannot be imported.
    """

    def __init__(
        self, rules: Iterable[ExposureRule], *, default_executor: str = "default", allow_unsafe: bool = False
    ) -> None:
        self._functions: dict[tuple[str, str], Exposed] = {}
        self._names: dict[str, list[str]] = {}
        for rule in rules:
            for text in rule.functions:
                self._expose(parse_pattern(text), rule, default_executor, allow_unsafe)
        if not self._functions:
            raise PolicyError(
                "nothing is exposed, so nobody could call anything: name a module, a function or a file, e.g. "
                "'callgate serve math mymodule.py', or an [[expose]] table in callgate.toml"
            )
        for module, name in sorted(self._functions):
            self._names.setdefault(module, []).append(name)

    def _expose(self, pattern: Pattern, rule: ExposureRule, default_executor: str, allow_unsafe: bool) -> None:
        if not allow_unsafe:
            refuse_unsafe(pattern)  # before the import: importing runs code
        module = _import(pattern.module)
        if pattern.function is None:
            found = public_functions(module)
            if not found:
                raise PolicyError(
                    f"{pattern} exposes nothing: {pattern.module} defines no public function "
                    "(a leading underscore, an __all__ without it, or an import from elsewhere makes one private)"
                )
        else:
            target = vars(module).get(pattern.function)
            if target is None or not callable(target):
                raise PolicyError(_no_such(pattern, module, target))
            found = {pattern.function: target}
            if not allow_unsafe:
                refuse_unsafe(pattern, target)
        for name, function in found.items():
            key = (pattern.module, name)
            if key not in self._functions:
                self._functions[key] = Exposed(
                    module=pattern.module,
                    name=name,
                    function=function,
                    executor=rule.executor or default_executor,
                    timeout=rule.timeout,
                    kind=_kind(function),
                )

    def resolve(self, module: str, function: str) -> Exposed:
        """Find what a caller named.

        Args:
            module: the module, as the caller wrote it.
            function: the function, as the caller wrote it.

        Returns:
            The exposed function.

        Raises:
            CallFailed: NOT_FOUND, or INVALID_ARGUMENT for an empty or absurdly long name.
        """
        exposed = self._functions.get((module, function))
        if exposed is None:
            raise self._not_found(module, function)
        return exposed

    def _not_found(self, module: str, function: str) -> CallFailed:
        for what, name in (("module", module), ("function", function)):
            if not name:
                return gate_failure("MALFORMED_REQUEST", f"the request names no {what}; both names are needed")
            if len(name) > MAX_NAME:
                return gate_failure(
                    "MALFORMED_REQUEST",
                    f"the {what}'s name is {len(name)} characters long; {MAX_NAME} is the most",
                )
        metadata = {"module": ascii(module)[1:-1], "function": ascii(function)[1:-1]}
        close = self._suggest(module, function)
        hint = f"; did you mean {' or '.join(close)}?" if close else "; `callgate list` shows what there is"
        if close:
            metadata["suggestions"] = ",".join(close)
        # ascii(): a look-alike from another script shows as what it is.
        name = ascii(f"{module[:80]}.{function[:80]}")[1:-1]
        return gate_failure("FUNCTION_NOT_FOUND", f"no function {name} for you here{hint}", metadata)

    def _suggest(self, module: str, function: str) -> list[str]:
        """At most three names near a wrong one, at bounded cost: difflib is quadratic in what it is given."""
        if len(module) > 64 or len(function) > 64:
            return []
        modules = (
            [module]
            if module in self._names
            else difflib.get_close_matches(module, list(self._names)[:500], n=2, cutoff=0.7)
        )
        # A dotted name split at the wrong place is the commonest slip: ("os", "path.join").
        found: list[str] = []
        for near in modules:
            names = self._names[near][:500]
            if near != module and function in names:
                found.append(f"{near}.{function}")
            else:
                found += [f"{near}.{name}" for name in difflib.get_close_matches(function, names, n=3, cutoff=0.6)]
        return found[:3]

    def __iter__(self) -> Iterator[Exposed]:
        for key in sorted(self._functions):
            yield self._functions[key]

    def __len__(self) -> int:
        return len(self._functions)


def _kind(function: Callable[..., Any]) -> int:
    if inspect.isasyncgenfunction(function):
        return pb.FUNCTION_KIND_ASYNC_GENERATOR
    if inspect.iscoroutinefunction(function):
        return pb.FUNCTION_KIND_COROUTINE
    if inspect.isgeneratorfunction(function):
        return pb.FUNCTION_KIND_GENERATOR
    return pb.FUNCTION_KIND_PLAIN


def _import(name: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ModuleFailed(name, _trace(error)) from error


def load_file(path: Path) -> str:
    """Import a Python file as a module named after it, so that `mymodule.py` can be exposed as `mymodule.*`.

    Its folder is put on sys.path first, as `python mymodule.py` would, for what it imports from beside it.

    Args:
        path: the file.

    Returns:
        The module's name.

    Raises:
        ModuleFailed: if it cannot be read, is no module name, clashes with another module, or fails to import.
    """
    path = path.resolve()
    name = path.stem
    if not name.isidentifier():
        raise ModuleFailed(str(path), f"{name!r} is no module name; rename the file to a Python identifier\n")
    if not path.is_file():
        raise ModuleFailed(str(path), f"there is no file {path}\n")
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = _import(name)
    loaded = getattr(module, "__file__", None)
    if loaded is None or Path(loaded).resolve() != path:
        raise ModuleFailed(
            str(path), f"a module named {name!r} is loaded from {loaded or 'the interpreter'}; rename the file\n"
        )
    return name


def _trace(error: BaseException) -> str:
    """A failed import's traceback, from the module's first own frame on."""
    frames = error.__traceback__
    own = (__file__, importlib.__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
    while frames is not None and frames.tb_frame.f_code.co_filename in own:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _no_such(pattern: Pattern, module: types.ModuleType, target: object) -> str:
    if target is not None:
        return f"{pattern} is not callable: it is a {type(target).__name__}"
    near = difflib.get_close_matches(pattern.function or "", list(vars(module)), n=1)
    hint = f"; did you mean {pattern.module}.{near[0]}?" if near else ""
    if importlib.util.find_spec(f"{pattern.module}.{pattern.function}") if hasattr(module, "__path__") else None:
        hint = f"; it is a module: write '{pattern}.*' for its functions"
    return f"{pattern.module} has no {pattern.function}{hint}"
