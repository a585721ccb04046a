"""What encoding does with types that are not in its table: subclasses of the builtins, refusals, and cycles."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from callgate.errors import ValueFormError
from callgate.records import Record, shape_of

__all__ = ["find_cycle", "plain_reader", "refusal", "short_key"]

#: Builtins by which a subclass's instance is read, and how to read it past overridden methods.
_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__pos__),
    (float, float.__pos__),
    (str, lambda v: str.__str__(v)[:]),
    (bytes, lambda v: bytes.__getitem__(v, slice(None))),
    (list, lambda v: [*list.__iter__(v)]),
    (tuple, lambda v: (*tuple.__iter__(v),)),
    (dict, lambda v: dict(dict.items(v))),
    (set, lambda v: {*set.__iter__(v)}),
    (frozenset, lambda v: frozenset(frozenset.__iter__(v))),
)

#: What to do instead, by the names of types that are often returned by mistake.
_HINTS = {
    "bytearray": "use bytes(value)",
    "memoryview": "use bytes(value)",
    "range": "use list(value)",
    "dict_keys": "use list(value)",
    "dict_values": "use list(value)",
    "dict_items": "use list(value)",
    "map": "use list(value)",
    "filter": "use list(value)",
    "zip": "use list(value)",
    "collections.deque": "use list(value)",
    "array.array": "use value.tolist()",
    "fractions.Fraction": "use (value.numerator, value.denominator)",
    "pathlib.PosixPath": "use str(value)",
    "pathlib.WindowsPath": "use str(value)",
    "pathlib._local.PosixPath": "use str(value)",
    "pathlib._local.WindowsPath": "use str(value)",
    "generator": "the function is a generator: call it with StreamFunction",
    "async_generator": "the function is an async generator: call it with StreamFunction",
    "coroutine": "the function is a coroutine: run it on a coroutines executor",
}


def plain_reader(kind: type) -> tuple[type, Callable[[Any], Any]] | None:
    """How to read a subclass of a builtin as that builtin.

    Args:
        kind: a type.

    Returns:
        The builtin, and a function from an instance to one of exactly that builtin; None for other types, and for
        numpy's and pandas' own, which would lose what they add.
    """
    mro = type.__getattribute__(kind, "__mro__")
    if str(type.__getattribute__(kind, "__module__")).partition(".")[0] in ("numpy", "pandas"):
        return None
    for base, read in _BASES:
        if base in mro:
            return base, read
    return None


def refusal(kind: type) -> str:
    """One sentence on why a type's instances have no Value form."""
    name = type_label(kind)
    hint = _HINTS.get(name)
    if hint is None:
        mro = type.__getattribute__(kind, "__mro__")
        numpy = sys.modules.get("numpy")
        if numpy is not None and numpy.ndarray in mro:
            hint = "use numpy.asarray(value)"
        elif BaseException in mro:
            hint = "raise it instead of returning it"
        elif name.startswith("pandas.") and name.endswith(("Timestamp", "Timedelta")):
            hint = "use value.to_numpy() or value.to_pydatetime()"
    return f"{name} has no Value form" + (f" ({hint})" if hint else "")


def type_label(kind: type) -> str:
    """ "module.QualName", without the module for builtins; read past a metaclass."""
    name = str(type.__getattribute__(kind, "__qualname__"))
    module = type.__getattribute__(kind, "__module__")
    return name if module == "builtins" or not isinstance(module, str) else f"{module}.{name}"


def short_key(key: object) -> str:
    """A key as a path shows it: repr() for plain ones, cut; the type's name for all whose repr is their own code."""
    if type(key) in (str, int, bool, float, bytes, type(None)):
        if type(key) is int and key.bit_length() > 256:
            return "<int>"
        text = repr(key[:41] if isinstance(key, str | bytes) else key)
        return text if len(text) <= 43 else text[:40] + "…" + text[0]
    return f"<{type(key).__name__}>"


def find_cycle(value: Any, depth: int) -> tuple[str, str] | None:
    """Where a value that nests too deeply holds itself.

    Follows the first container at each level, as encoding did when it ran out of depth, and so finds what stopped it;
    at a price that is paid only on the way to an error.

    Args:
        value: the outermost value.
        depth: how deep to look.

    Returns:
        The path of the place that holds a container again, and that container's own path; None if there is no cycle.
    """
    stack: list[tuple[Any, str, Iterator[tuple[str, Any]]]] = [(value, "", _children(value))]
    above = {id(value): ""}
    steps = 0
    while stack:
        holder, path, children = stack[-1]
        for label, child in children:
            steps += 1
            if steps > 100_000:  # arbitrary: a tenth of a second
                return None
            if id(child) in above:
                return path + label, above[id(child)]
            if len(stack) <= depth and _is_container(child):
                above[id(child)] = path + label
                stack.append((child, path + label, _children(child)))
                break
        else:
            stack.pop()
            above.pop(id(holder), None)
    return None


def _is_container(value: object) -> bool:
    kind = type(value)
    return kind not in (str, bytes, int, float, bool, type(None)) and (
        kind is Record
        or any(base in kind.__mro__ for base in (list, tuple, dict, set, frozenset))
        or shape_of(kind) is not None
    )


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    mro = type(value).__mro__
    if dict in mro or type(value) is Record:
        items = dict.items(value) if dict in mro else value.items()
        for key, item in items:
            label = short_key(key)
            if type(key) is not str:
                yield f".key({label})", key
            yield (f".{key}" if type(value) is Record else f"[{label}]"), item
        return
    shape = shape_of(type(value))
    if shape is not None:
        try:
            fields = shape.read(value)
        except ValueFormError:
            return
        yield from ((f".{name}", item) for name, item in fields)
    else:
        for base in (list, tuple, set, frozenset):
            if base in mro:
                yield from ((f"[{index}]", item) for index, item in enumerate(base.__iter__(value)))
