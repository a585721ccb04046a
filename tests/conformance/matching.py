"""What a case expects beside what a runner reported: every difference is a sentence that says where.

Expectations are partial: keys that a mapping does not name may be anything. Lists are whole. Values are compared as
messages: both sides are parsed and serialized deterministically, so that the bits of a NaN count, and the order of a
set does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from callgate.errors import CallgateError
from callgate.v1 import value_pb2
from callgate.values import decode, encode

__all__ = ["AnyOf", "AtLeast", "Matches", "Present", "Wire", "differences", "hex_of", "shown", "value_differences"]


@dataclass(frozen=True)
class Wire:
    """A value given by its serialized Value."""

    data: bytes

    def __repr__(self) -> str:
        return f"!hex {_cut(self.data.hex(), 120)}"


@dataclass(frozen=True)
class Matches:
    """A text in which the pattern is found."""

    pattern: str

    def problem(self, got: Any) -> str:
        """What is wrong with a value; "" if nothing is."""
        found = isinstance(got, str) and re.search(self.pattern, got)
        return "" if found else f"expected a text that matches {self.pattern!r}"


@dataclass(frozen=True)
class AnyOf:
    """One of several."""

    choices: tuple[Any, ...]

    def problem(self, got: Any) -> str:
        """As `Matches.problem`."""
        fits = any(not list(differences(choice, got)) for choice in self.choices)
        return "" if fits else f"expected one of {', '.join(map(repr, self.choices))}"


@dataclass(frozen=True)
class AtLeast:
    """A number no smaller than this."""

    least: float

    def problem(self, got: Any) -> str:
        """As `Matches.problem`."""
        fits = isinstance(got, int | float) and not isinstance(got, bool) and got >= self.least
        return "" if fits else f"expected at least {self.least}"


@dataclass(frozen=True)
class Present:
    """Something that is not empty."""

    def problem(self, got: Any) -> str:
        """As `Matches.problem`."""
        return "" if got else "expected something that is not empty"


def hex_of(value: Any) -> str:
    """A value of a case, as it crosses to a runner."""
    return value.data.hex() if isinstance(value, Wire) else encode(value).SerializeToString(deterministic=True).hex()


def value_differences(expected: Any, got: Any, where: str) -> Iterator[str]:
    """How a reported value (hex) differs from what a case expects."""
    try:
        message = value_pb2.Value.FromString(bytes.fromhex(got))
    except Exception as error:  # whatever the runner wrote there
        yield f"{where}: {_cut(repr(got))} is not the hex of a Value ({error})"
        return
    wanted = value_pb2.Value.FromString(bytes.fromhex(hex_of(expected)))
    if _canonical(wanted) != _canonical(message):
        yield f"{where}: expected {_told(wanted)}, got {_told(message)}"


def _canonical(message: value_pb2.Value) -> bytes:
    """Bytes that are equal where messages are: sets, whose order is nobody's, are sorted."""
    kind = message.WhichOneof("kind")
    if kind in ("set_value", "frozenset_value"):
        body = getattr(message, kind)
        elements = sorted(body.values, key=_canonical)
        message = value_pb2.Value()
        getattr(message, kind).values.extend(elements)
        getattr(message, kind).SetInParent()
    return message.SerializeToString(deterministic=True)


def _told(message: value_pb2.Value) -> str:
    """A value for a reader: what it is in Python, and its kind, since 2 and 2.0 are different things."""
    try:
        text = repr(decode(message))
    except CallgateError as error:
        text = f"<undecodable: {error}>"
    data = message.SerializeToString(deterministic=True).hex()
    return f"{_cut(text)} ({message.WhichOneof('kind')}, {_cut(data, 80)})"


def shown(text: str) -> str:
    """The value behind a hex text, for a reader."""
    try:
        return _told(value_pb2.Value.FromString(bytes.fromhex(text)))
    except Exception:  # it is shown as it is
        return _cut(text)


def _cut(text: str, chars: int = 300) -> str:
    return text if len(text) <= chars else f"{text[:chars]}… ({len(text)} characters)"


#: What compares a key's value in its own way, in a failure and in the exceptions inside it.
_Special = Callable[[Any, Any, str], Iterator[str]]


def differences(expected: Any, got: Any, where: str = "") -> Iterator[str]:
    """How something reported differs from what a case expects."""
    problem = getattr(expected, "problem", None)
    if problem is not None:
        said = problem(got)
        if said:
            yield f"{where}: {said}, got {_cut(repr(got))}"
    elif isinstance(expected, Mapping):
        if not isinstance(got, Mapping):
            yield f"{where}: expected {_cut(repr(dict(expected)))}, got {_cut(repr(got))}"
            return
        for key, wanted in expected.items():
            at = f"{where}.{key}" if where else str(key)
            if key not in got:
                yield f"{at}: expected {_cut(repr(wanted))}, and there is no {key!r} in {_cut(repr(sorted(got)))}"
            else:
                yield from _SPECIAL.get(key, differences)(wanted, got[key], at)
    elif isinstance(expected, list):
        if not isinstance(got, list) or len(got) != len(expected):
            count = f"{len(got)} of them: " if isinstance(got, list) else ""
            yield f"{where}: expected {len(expected)} ({_cut(repr(expected))}), got {count}{_cut(repr(got))}"
            return
        for index, (wanted, one) in enumerate(zip(expected, got, strict=True)):
            yield from differences(wanted, one, f"{where}[{index}]")
    elif expected != got or isinstance(expected, bool) is not isinstance(got, bool):
        yield f"{where}: expected {_cut(repr(expected))}, got {_cut(repr(got))}"


def _values(expected: Any, got: Any, where: str) -> Iterator[str]:
    """An exception's args (a list) or attributes (by name): values, not texts."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for name, value in expected.items():
            if name not in got:
                yield f"{where}.{name}: expected {value!r}, and there is none; there is {sorted(got)}"
            else:
                yield from value_differences(value, got[name], f"{where}.{name}")
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, (value, one) in enumerate(zip(expected, got, strict=True)):
            yield from value_differences(value, one, f"{where}[{index}]")
    else:
        told = [shown(one) for one in got] if isinstance(got, list) else repr(got)
        yield f"{where}: expected {expected!r}, got {_cut(str(told))}"


_SPECIAL: Mapping[str, _Special] = {"args": _values, "attributes": _values}
