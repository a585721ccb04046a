"""What may be exposed at all: the traps of exposing modules of others, each closed."""

from __future__ import annotations

import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate_server.policy import (
    SHELL_MODULES,
    UNSAFE_BUILTINS,
    Pattern,
    PolicyError,
    functions_of,
    parse_pattern,
    public_functions,
)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Make an importable module from source; its name."""
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def make(source: str, name: str = "") -> str:
        name = name or f"policy_module_{len(made)}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        made.append(name)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    yield make
    for name in made:
        sys.modules.pop(name, None)


def exposed(text: str, **options: bool) -> set[str]:
    return set(functions_of(parse_pattern(text), **options))


def refused(text: str, **options: bool) -> str:
    with pytest.raises(PolicyError) as caught:
        functions_of(parse_pattern(text), **options)
    return str(caught.value)


# ---------------------------------------------------------------------- patterns


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("math.*", Pattern("math", None)),
        ("math.sqrt", Pattern("math", "sqrt")),
        ("a.b.c.d", Pattern("a.b.c", "d")),
        ("a.b.*", Pattern("a.b", None)),
    ],
)
def test_a_pattern_is_a_module_and_a_function_or_a_star(text, pattern):
    assert parse_pattern(text) == pattern
    assert str(pattern) == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "*", ".*", "math", "math.", ".sqrt", "math..sqrt", "*.sqrt", "math.s*", "math.**", "a b.c", "math.sqrt()",
     "math:sqrt", "../x.y", "math.*.sqrt", "m\0.f", "math.sqrt\n", "1a.b", "a.1b"],
    ids=repr,
)  # fmt: skip
def test_whatever_else_is_refused_with_what_to_write(text):
    with pytest.raises(PolicyError, match=r"write 'module\.function'"):
        parse_pattern(text)


@given(st.text())
def test_any_text_is_a_pattern_or_is_refused(text):
    try:
        pattern = parse_pattern(text)
    except PolicyError:
        return
    assert str(pattern) == text
    assert all(part.isidentifier() for part in pattern.module.split("."))


# ---------------------------------------------------------------------- shells in disguise


@pytest.mark.parametrize("name", sorted(SHELL_MODULES))
def test_a_shell_in_disguise_is_never_exposed_as_a_pattern_nor_its_functions_by_name(name):
    assert "shell in disguise" in refused(f"{name}.*")
    if name != "builtins":
        assert "--allow-unsafe" in refused(f"{name}.anything")


@pytest.mark.parametrize(
    "name",
    ["os.path", "importlib.util", "multiprocessing.pool", "urllib.request", "xml.sax.saxutils", "logging.config"],
)
def test_what_lies_inside_a_shell_is_one(name):
    assert "shell in disguise" in refused(f"{name}.*")


@pytest.mark.parametrize("name", sorted(UNSAFE_BUILTINS))
def test_a_builtin_that_reaches_the_interpreter_is_refused_by_name(name):
    assert "--allow-unsafe" in refused(f"builtins.{name}")


def test_safe_builtins_are_exposed_one_by_one():
    for name in ("len", "abs", "sum", "sorted", "max"):
        assert exposed(f"builtins.{name}") == {name}


def test_with_allow_unsafe_a_dangerous_function_may_be_named():
    assert exposed("os.getcwd", allow_unsafe=True) == {"getcwd"}
    assert exposed("builtins.eval", allow_unsafe=True) == {"eval"}


def test_a_dangerous_module_is_refused_before_it_is_imported(module):
    before = set(sys.modules)
    refused("turtle.*")
    refused("idlelib.run.main")
    assert not {"turtle", "idlelib", "idlelib.run"} & (set(sys.modules) - before)


# ---------------------------------------------------------------------- what a module defines, and what it imports

OWN = """
    import functools
    import io
    import os
    import subprocess as sub
    from os import system, path
    from os import system as run
    from math import sqrt
    from json import *
    import pickle

    def mine(): ...
    async def awaited(): ...
    def yielding(): yield
    def _private(): ...
    def __dunder__(): ...
    @functools.lru_cache
    def cached(): ...
    class Class:
        def method(self): ...
    method = Class().method
    instance = Class()
    constant = 1
    partial_system = functools.partial(system)
    nested_partial = functools.partial(functools.partial(system, "true"))
    loads = pickle.loads
    read = io.BytesIO(b"").read
    popen = sub.Popen
    evaluate = eval
    lam = lambda: 0
    @functools.wraps(system)
    def wrapper(*args): ...
"""


def test_a_pattern_exposes_what_the_module_defines_and_nothing_that_it_imports(module):
    name = module(OWN)
    found = exposed(f"{name}.*")
    assert {"mine", "awaited", "yielding", "cached", "lam"} <= found
    assert not found & {
        "system", "run", "sqrt", "dumps", "loads", "path", "os", "sub", "functools", "Class", "instance", "constant",
        "partial_system", "nested_partial", "read", "popen", "evaluate", "_private", "__dunder__", "wrapper",
    }  # fmt: skip


@pytest.mark.parametrize(
    "function",
    ["system", "run", "partial_system", "nested_partial", "loads", "popen", "evaluate", "wrapper", "read"],
)
def test_a_name_of_ones_own_does_not_launder_a_dangerous_function(module, function):
    name = module(OWN)
    assert "--allow-unsafe" in refused(f"{name}.{function}")


def test_an_imported_function_that_is_harmless_may_be_named(module):
    assert exposed(f"{module(OWN)}.sqrt") == {"sqrt"}


def test_all_decides_what_is_public(module):
    name = module(
        """
        from os import system
        __all__ = ["shown", "_hidden", "system", "missing", 7]
        def shown(): ...
        def other(): ...
        def _hidden(): ...
        """
    )
    assert exposed(f"{name}.*") == {"shown"}


def test_an_all_that_is_no_list_is_none(module):
    name = module("__all__ = 5\ndef shown(): ...\n")
    assert exposed(f"{name}.*") == {"shown"}


def test_a_pattern_that_exposes_nothing_is_refused(module):
    assert "exposes nothing" in refused(f"{module('x = 1')}.*")


def test_a_name_that_the_module_does_not_have_is_refused_with_a_near_one():
    assert "did you mean math.sqrt?" in refused("math.sqt")


def test_a_name_that_is_no_function_is_refused_with_what_it_is():
    assert "is not callable: it is a float" in refused("math.pi")


@pytest.mark.parametrize("text", ["math.__loader__", "json.decoder", "json.__spec__", "math.__doc__"])
def test_what_every_module_has_is_nothing_to_call(text):
    assert refused(text)


def test_modules_do_not_lead_on_to_other_modules():
    """json.decoder.scanner is a module inside json.decoder; a pattern for it is that module, not json's attribute."""
    assert exposed("json.*") >= {"dumps", "loads"}
    assert not exposed("json.*") & {"decoder", "scanner", "codecs"}
    # json.scanner lives at json.scanner: the path through json.decoder is no module.
    from callgate_server.loading import ModuleFailed

    with pytest.raises(ModuleFailed):
        functions_of(parse_pattern("json.decoder.scanner.*"))


def test_a_lazy_attribute_is_not_asked_for(module):
    name = module("def __getattr__(name):\n    raise SystemExit\ndef shown(): ...\n__all__ = ['shown', 'lazy']\n")
    assert exposed(f"{name}.*") == {"shown"}
    assert "has no lazy" in refused(f"{name}.lazy")


# ---------------------------------------------------------------------- the standard library and others


@pytest.mark.parametrize(
    "name", ["math", "statistics", "json", "cmath", "textwrap", "html", "colorsys", "heapq", "base64"]
)
def test_harmless_modules_expose_their_functions(name):
    assert len(exposed(f"{name}.*")) > 1


def test_functions_that_open_what_the_caller_names_are_left_out_of_a_pattern():
    assert "open" not in exposed("codecs.*")
    assert "parse" not in exposed("xml.etree.ElementTree.*")
    assert not exposed("asyncio.*") & {"open_connection", "create_subprocess_shell", "start_server"}
    assert "clock_settime" not in exposed("time.*")


def test_numpy_as_a_pattern_does_not_unpickle_for_callers():
    pytest.importorskip("numpy", reason="numpy is an extra")
    found = exposed("numpy.*")
    assert "mean" in found
    assert not found & {"load", "save", "fromfile", "loadtxt", "genfromtxt", "savez", "memmap"}
    assert "--allow-unsafe" in refused("numpy.load")


@pytest.mark.slow
def test_no_pattern_of_the_standard_library_hands_out_a_shell():
    """Every public module of the standard library as a pattern: none gives a function that lives in a shell."""
    import importlib
    import warnings

    handed_out = []
    for name in sorted(sys.stdlib_module_names):
        if name in SHELL_MODULES or name.startswith("_") or name in {"antigravity", "this", "test"}:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = importlib.import_module(name)
        except ImportError:
            continue
        for function, value in public_functions(module).items():
            home = str(getattr(value, "__module__", ""))
            if any(home == shell or home.startswith(f"{shell}.") for shell in SHELL_MODULES - {"builtins"}):
                handed_out.append(f"{name}.{function}")
            if function in {"open", "exec", "eval", "compile", "system", "popen", "spawn"}:
                handed_out.append(f"{name}.{function}")
    # These only have the names: one makes a pattern, the other says "Linux".
    assert set(handed_out) <= {"re.compile", "platform.system"}
