"""What may be exposed at all: patterns, and the refusal of what is a shell in disguise.

A pattern is `module.function` (one function), `module.*` (the public functions that the module defines), or `module`
(the same). Whether a function is dangerous is decided by where it *lives* (`__module__`), not by the name under which
it was found: a module that imports `os.system` does not launder it.
"""

from __future__ import annotations

import difflib
import functools
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
    _ctypes _frozen_importlib _frozen_importlib_external _imp _interpreters _io _multiprocessing _pickle _posixshmem
    _posixsubprocess _socket _sqlite3 _testcapi _thread _winapi _xxsubinterpreters asyncio.subprocess bdb builtins
    bz2 cProfile callgate callgate_server cffi cgitb cloudpickle code codeop compileall concurrent.futures
    concurrent.interpreters crypt ctypes curses dbm dill dis distutils doctest ensurepip faulthandler fcntl filecmp
    fileinput ftplib gc getpass glob grp gzip http.client http.server idlelib imaplib imp importlib inspect io
    joblib lib2to3 linecache logging lzma mailbox marshal mmap multiprocessing netrc nt ntpath nturl2path os
    ossaudiodev pathlib pdb pickle pickletools pip pkgutil poplib posix posixpath profile pstats pty pwd py_compile
    pyclbr pydoc pyexpat readline resource rlcompleter runpy sched select setuptools shelve shutil signal site
    smtplib socket socketserver spwd sqlite3 ssl subprocess symtable sys sysconfig syslog tarfile telnetlib tempfile
    termios threading timeit tkinter trace tracemalloc tty turtle unittest urllib.request venv webbrowser winreg
    wsgiref xml.dom xml.sax xmlrpc zipapp zipfile zipimport
    """.split()
)

#: Builtins that run code, reach the interpreter's state, or wait for a terminal: only with --allow-unsafe.
UNSAFE_BUILTINS = frozenset(
    """
    __build_class__ __import__ breakpoint classmethod compile copyright credits delattr dir eval exec exit getattr
    globals hasattr help input license locals memoryview object open property quit setattr staticmethod super type vars
    """.split()
)

#: Functions that open a file or an address of the caller's choosing, or unpickle, in modules that are otherwise
#: harmless: a pattern leaves them out. No list is complete: a pattern is for modules whose functions were all meant for
#: strangers (docs/security.md).
UNSAFE_FUNCTIONS = frozenset(
    """
    aifc.open asyncio.streams.open_connection asyncio.streams.open_unix_connection asyncio.streams.start_server
    asyncio.streams.start_unix_server codecs.open mimetypes.init mimetypes.read_mime_types numpy.DataSource
    numpy.fromfile numpy.fromregex numpy.genfromtxt numpy.load numpy.loadtxt numpy.memmap numpy.save numpy.savetxt
    numpy.savez numpy.savez_compressed pandas.eval pandas.read_clipboard pandas.read_csv pandas.read_excel
    pandas.read_feather pandas.read_fwf pandas.read_hdf pandas.read_html pandas.read_json pandas.read_orc
    pandas.read_parquet pandas.read_pickle pandas.read_sas pandas.read_spss pandas.read_sql pandas.read_stata
    pandas.read_table pandas.read_xml pandas.to_pickle sunau.open time.clock_settime time.clock_settime_ns
    tokenize.open torch.load torch.save wave.open xml.etree.ElementTree.iterparse xml.etree.ElementTree.parse
    yaml.full_load yaml.full_load_all yaml.load yaml.load_all yaml.unsafe_load yaml.unsafe_load_all
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
    named = all(part.isidentifier() for part in parts) and (function == "*" or function.isidentifier())
    if not dot or not parts or not named:
        raise PolicyError(
            f"{text!r} is no pattern: write 'module.function' for one function or 'module.*' for a module's public ones"
        )
    return Pattern(module, None if function == "*" else function)


def _is_shell(module: str) -> bool:
    parts = module.split(".")
    return any(".".join(parts[: n + 1]) in SHELL_MODULES for n in range(len(parts)))


def _is_unsafe(module: str, function: str) -> bool:
    """Whether one function, named by where it lives, can run code or reach the machine."""
    if module == "builtins":
        return function in UNSAFE_BUILTINS
    # By the top package too: numpy.load may live in numpy.lib._npyio_impl, and says numpy or not by its version.
    return (
        _is_shell(module)
        or f"{module}.{function}" in UNSAFE_FUNCTIONS
        or f"{module.partition('.')[0]}.{function}" in UNSAFE_FUNCTIONS
    )


def _homes(pattern: Pattern, target: object) -> set[tuple[str, str]]:
    """The names by which a function is known: the pattern's, its own, and those of what a partial or method wraps."""
    homes = {(pattern.module, str(pattern.function))}
    for _ in range(20):  # a partial of a partial of …; arbitrary
        home = getattr(target, "__module__", None) or pattern.module
        name = getattr(target, "__name__", None) or str(pattern.function)
        homes.add((str(home), str(name)))
        owner = getattr(target, "__self__", None)
        if owner is not None and not inspect.ismodule(owner):
            kind = owner if inspect.isclass(owner) else type(owner)
            homes.add((kind.__module__, kind.__name__))
        if not isinstance(target, functools.partial | functools.partialmethod):
            break
        target = target.func
    return homes


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
    homes = {(pattern.module, pattern.function)} if target is None else _homes(pattern, target)
    for module, function in sorted(homes):
        if _is_unsafe(module, function):
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
        value: Any = vars(module).get(name)
        if not _is_function(value):
            continue
        home = getattr(value, "__module__", None)
        if home in halves or (names is not None and isinstance(home, str) and home.startswith(own + ".")):
            if _is_unsafe(str(home), name):
                continue
            found[name] = value
    return found


def _is_function(value: Any) -> bool:
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
    if "__path__" in vars(module) and importlib.util.find_spec(f"{pattern.module}.{pattern.function}"):
        return f"{pattern.module} has no function {pattern.function}; it is a module: write '{pattern}.*'"
    near = difflib.get_close_matches(pattern.function or "", list(vars(module)), n=1)
    hint = f"; did you mean {pattern.module}.{near[0]}?" if near else ""
    return f"{pattern.module} has no {pattern.function}{hint}"
