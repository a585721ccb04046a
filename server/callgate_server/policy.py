"""What may be exposed at all: patterns, and the refusal of what is a shell in disguise.

A pattern is `module.function` (one function), `module.*` (the public functions that the module defines), or `module`
(the same). Whether a function is dangerous is decided by where it *lives* (`__module__`), not by the name under which
it was found: a module that imports `os.system` does not launder it.
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from callgate_server.loading import load_module

__all__ = ["Pattern", "PolicyError", "functions_of", "parse_pattern", "public_functions", "refuse_unsafe"]

#: Modules whose functions run code, reach files, processes, memory or the interpreter itself. Never exposed as a
#: pattern, and one by one only with --allow-unsafe; builtins' safe functions may be named one by one.
SHELL_MODULES = frozenset(
    """
    _ctypes _interpreters _io _pickle _posixsubprocess _socket _sqlite3 _testcapi _thread _winapi _xxsubinterpreters
    asyncio.subprocess bdb builtins cProfile callgate callgate_server cffi cloudpickle code codeop
    concurrent.interpreters ctypes dbm dill dis doctest ensurepip faulthandler fileinput ftplib gc getpass glob
    http.client http.server imp importlib inspect io joblib linecache logging.config marshal mmap multiprocessing nt
    ntpath nturl2path os pathlib pdb pickle pickletools pip pkgutil posix posixpath profile pty pydoc pyexpat readline
    runpy sched select shelve shutil signal site smtplib socket socketserver sqlite3 ssl subprocess sys sysconfig
    tarfile tempfile threading timeit trace tracemalloc urllib.request venv webbrowser winreg xmlrpc zipapp zipfile
    zipimport
    """.split()
)

#: Builtins that run code, reach the interpreter's state, or wait for a terminal: only with --allow-unsafe.
UNSAFE_BUILTINS = frozenset(
    """
    __build_class__ __import__ breakpoint classmethod compile copyright credits delattr dir eval exec exit getattr
    globals hasattr help input license locals memoryview object open property quit setattr staticmethod super type vars
    """.split()
)


class PolicyError(ValueError):
    """A pattern that exposes nothing, too much, or something dangerous; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What to expose.

    Attributes:
        module: the module to import.
        function: the function's name; None for all public functions that the module defines.
    """

    module: str
    function: str | None

    def __str__(self) -> str:
        return f"{self.module}.{self.function or '*'}"


def parse_pattern(text: str) -> Pattern:
    """Read `module.function` or `module.*`.

    Args:
        text: the pattern.

    Returns:
        The pattern.

    Raises:
        PolicyError: if it is neither.
    """
    module, dot, function = text.rpartition(".")
    parts = module.split(".") if module else []
    if not dot or not all(part.isidentifier() for part in parts) or not (function == "*" or function.isidentifier()):
        raise PolicyError(
            f"{text!r} is no pattern: write 'module.function' for one function or 'module.*' for a module's public ones"
        )
    return Pattern(module, None if function == "*" else function)


def _is_shell(module: str) -> bool:
    parts = module.split(".")
    return any(".".join(parts[: n + 1]) in SHELL_MODULES for n in range(len(parts)))


def refuse_unsafe(pattern: Pattern, target: Callable[..., Any] | None = None) -> None:
    """Refuse a pattern, or one function that it names, that would hand out the interpreter.

    Args:
        pattern: the pattern.
        target: the function that it names, once found; None before anything is imported.

    Raises:
        PolicyError: with what to do instead.
    """
    if pattern.function is None:
        if _is_shell(pattern.module):
            hint = (
                "name single functions, e.g. 'builtins.len'"
                if pattern.module == "builtins"
                else ("write a function of your own that does the one thing callers need, and expose that")
            )
            raise PolicyError(f"{pattern} would expose a shell in disguise; {hint}")
        return
    if target is None:
        homes = {(pattern.module, pattern.function)}
    else:
        home = getattr(target, "__module__", None) or pattern.module
        name = getattr(target, "__name__", None) or pattern.function
        homes = {(pattern.module, pattern.function), (str(home), str(name))}
    for module, function in homes:
        unsafe = function in UNSAFE_BUILTINS if module == "builtins" else _is_shell(module)
        if unsafe:
            where = "" if (module, function) == (pattern.module, pattern.function) else f" (it is {module}.{function})"
            raise PolicyError(
                f"{pattern}{where} can run code or reach the machine; expose a function of your own instead, or pass "
                "--allow-unsafe if every caller may do anything this server may"
            )


def public_functions(module: types.ModuleType) -> dict[str, Callable[..., Any]]:
    """The public functions that a module defines: what `module.*` exposes.

    A name is public if `__all__` lists it or, without an `__all__`, if it does not start with an underscore. A function
    is the module's own if its `__module__` is the module, a submodule of it, or its private C half (`_statistics` for
    `statistics`); what it merely imported is not. Classes are not functions: name one explicitly to expose it.

    Args:
        module: the imported module.

    Returns:
        Functions by name, sorted.
    """
    listed = getattr(module, "__all__", None)
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list | tuple) else None
    own = module.__name__
    # A package's own API often lives in its submodules; only what __all__ lists counts as its own then.
    halves = (own, "_" + own)
    found: dict[str, Callable[..., Any]] = {}
    for name in sorted(names if names is not None else vars(module)):
        if name.startswith("_"):
            continue
        value = vars(module).get(name)
        if not _is_function(value):
            continue
        home = getattr(value, "__module__", None)
        if home in halves or (names is not None and isinstance(home, str) and home.startswith(own + ".")):
            if _is_shell(str(home)):
                continue
            found[name] = value
    return found


def _is_function(value: object) -> bool:
    if inspect.isfunction(value) or inspect.isbuiltin(value):
        return True
    # functools.lru_cache, singledispatch and compiled (Cython) functions: callables that are no classes and say where
    # they live.
    return callable(value) and not inspect.isclass(value) and isinstance(getattr(value, "__qualname__", None), str)


def functions_of(pattern: Pattern, *, allow_unsafe: bool = False) -> dict[str, Callable[..., Any]]:
    """Import a pattern's module and find the functions that it exposes.

    Args:
        pattern: the pattern.
        allow_unsafe: whether it may name what can run code.

    Returns:
        Functions by name, at least one.

    Raises:
        PolicyError: if it exposes nothing, or something dangerous.
        ModuleFailed: if the module cannot be imported.
    """
    if not allow_unsafe:
        refuse_unsafe(pattern)  # before the import: importing runs code
    module = load_module(pattern.module)
    if pattern.function is None:
        found = public_functions(module)
        if not found:
            raise PolicyError(
                f"{pattern} exposes nothing: {pattern.module} defines no public function "
                "(a leading underscore, an __all__ without it, or an import from elsewhere makes one private)"
            )
        return found
    target = vars(module).get(pattern.function)
    if target is None or not callable(target):
        raise PolicyError(_no_such(pattern, module, target))
    if not allow_unsafe:
        refuse_unsafe(pattern, target)
    return {pattern.function: target}


def _no_such(pattern: Pattern, module: types.ModuleType, target: object) -> str:
    if target is not None:
        return f"{pattern} is not callable: it is a {type(target).__name__}"
    if hasattr(module, "__path__") and importlib.util.find_spec(f"{pattern.module}.{pattern.function}"):
        return f"{pattern.module} has no function {pattern.function}; it is a module: write '{pattern}.*'"
    near = difflib.get_close_matches(pattern.function or "", list(vars(module)), n=1)
    hint = f"; did you mean {pattern.module}.{near[0]}?" if near else ""
    return f"{pattern.module} has no {pattern.function}{hint}"
