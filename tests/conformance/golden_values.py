"""The golden values: what each named case of cases/values.yaml is in Python.

`python -m tests.conformance.golden_values` writes the file anew. Its bytes are the contract: a change of a case that
has landed breaks every client that was built against it; new cases go to the end of their section.

A case is read by other languages so: `value` are the bytes of a callgate.v1.Value, serialized deterministically;
`python` shows what Python makes of it; `also`, where there is one, are other bytes that decode to the same.
"""

from __future__ import annotations

import enum
import struct
from collections import namedtuple
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import yaml

from callgate.buffers import Tensor
from callgate.v1 import value_pb2 as pb
from callgate.values import encode

__all__ = ["CASES", "FILE", "serialized"]

FILE = Path(__file__).parent / "cases" / "values.yaml"


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Quote:
    symbol: str
    price: float


Pair = namedtuple("Pair", "left right")

# The types' home is part of a record's bytes: a name that stays when this file moves.
for _kind in (Colour, Quote, Pair):
    _kind.__module__ = "golden"
Pair.__qualname__ = "Pair"

_UTC = timezone.utc  # noqa: UP017  # 3.11's documentation of timezone calls it so
_PARIS = ZoneInfo("Europe/Paris")


def _deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


#: Name, why it is here, the value.
CASES: tuple[tuple[str, str, Any], ...] = (
    ("none", "the null, whose payload is the enum's zero", None),
    ("false", "a bool is not an int, and the default value is still set", False),
    ("true", "", True),
    ("int zero", "zero is set, and not left out as a default", 0),
    ("int minus one", "sint64: small negative numbers are short", -1),
    ("int largest of 64 bits", "the last that is an int_value", 2**63 - 1),
    ("int smallest of 64 bits", "the last that is an int_value", -(2**63)),
    ("int beyond 64 bits", "two's complement, big-endian, nine bytes: the first is the sign", 2**63),
    ("int below 64 bits", "two's complement, big-endian, nine bytes", -(2**63) - 1),
    ("int of 100 digits", "no digits of a decimal string anywhere", 10**100),
    ("int at a byte's edge", "-2**71 needs no more bytes than 2**71 - 1", -(2**71)),
    ("float zero", "zero is set", 0.0),
    ("float minus zero", "the sign of zero counts", -0.0),
    ("float one tenth", "an IEEE 754 double, as it is", 0.1),
    ("float not a number", "the quiet NaN that Python makes", float("nan")),
    ("float infinity", "", float("inf")),
    ("float integral", "2.0 is not 2: no client may make an int of it", 2.0),
    ("str empty", "the empty string is set", ""),
    ("str beyond the BMP", "UTF-8, four bytes for the emoji", "né 🐍"),
    ("str with a NUL", "no terminator", "a\0b"),
    ("str with a lone surrogate", "a POSIX file name: WTF-8 bytes of a kind of its own", "\udcff"),
    ("bytes empty", "", b""),
    ("bytes", "no text", b"\x00\xff"),
    ("list empty", "an empty list is a list_value: no packed form says of what", []),
    ("list mixed", "not homogeneous: one Value an element", [1, "a", None]),
    ("list of floats", "packed", [1.0, -0.0]),
    ("list of ints", "packed", [1, -1, 2**40]),
    ("list of bools", "packed", [True, False]),
    ("list of strs", "packed", ["a", ""]),
    ("list of ints, one beyond 64 bits", "cannot be packed", [1, 2**64]),
    ("list of bools and ints", "True is no int here: cannot be packed", [True, 1]),
    ("tuple empty", "", ()),
    ("tuple", "tuples have no packed form", (1, 2)),
    ("set", "one element, because a set has no order", {1}),
    ("frozenset", "", frozenset({"a"})),
    ("dict empty", "", {}),
    ("dict with str keys", "packed as a string_map; the order is the dict's", {"b": 1, "a": [1.5]}),
    ("dict with tuple keys", "entries: any hashable key", {(1, "x"): None}),
    ("dict with mixed keys", "one key that is no str: entries for all", {"a": 1, 2: 2}),
    ("complex", "", 1.5 - 2j),
    ("complex with minus zero", "a zero with a sign is set: no library may leave it out", complex(1.5, -0.0)),
    ("decimal", "the trailing zero is part of it", Decimal("1.50")),
    ("decimal minus zero with an exponent", "", Decimal("-0E+3")),
    ("decimal signalling NaN", "with its payload", Decimal("sNaN12")),
    ("date", "", date(2024, 2, 29)),
    ("time naive", "midnight is set", time(0)),
    ("time aware", "", time(23, 59, 59, 999999, tzinfo=_UTC)),
    ("datetime naive", "no time zone is not UTC", datetime(2024, 2, 29, 12, 30)),
    ("datetime in UTC", "a fixed offset of zero, without a name", datetime(2024, 2, 29, 12, 30, tzinfo=_UTC)),
    (
        "datetime at a named offset",
        "timedelta's days may be negative, its seconds never",
        datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=-5), "EST")),
    ),
    (
        "datetime in a zone, the second of two equal times",
        "fold and the offset that held: readers without a zone database use it",
        datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=_PARIS),
    ),
    ("timedelta", "normalized: -1 day + 86399 seconds", timedelta(seconds=-1)),
    ("uuid", "16 bytes, big-endian", UUID("12345678-1234-5678-1234-567812345678")),
    ("array", "little-endian, C order", Tensor("int32", (2, 3), b"".join(n.to_bytes(4, "little") for n in range(6)))),
    ("array of no dimension", "a 0-d array is not a scalar", Tensor("float64", (), b"\0" * 8)),
    ("array empty", "a dimension of zero", Tensor("float32", (0, 3), b"")),
    ("array scalar", "numpy.float32(1.5)", Tensor("float32", (), b"\0\0\xc0\x3f", scalar=True)),
    ("array of datetimes", "the unit is part of the dtype", Tensor("datetime64[ns]", (1,), b"\1" + b"\0" * 7)),
    ("array of texts", "UTF-32, padded with NULs to the width", Tensor("U2", (1,), b"a\0\0\0\0\0\0\0")),
    (
        "array of long doubles, x87",
        "1 and -1/3: ten bytes each, whatever memory pads them to; 64 bits of significand, then exponent and sign",
        Tensor("longdouble[x87]", (2,), bytes.fromhex("0000000000000080ff3f" + "abaaaaaaaaaaaaaafdbf")),
    ),
    (
        "array scalar, long double, binary128",
        "1/3: the dtype names the format, since each machine has its own",
        Tensor("longdouble[binary128]", (), bytes.fromhex("55" * 14 + "fd3f"), scalar=True),
    ),
    (
        "array of complex long doubles, double-double",
        "(1 + 2**-60) - 2j: each part two float64, the greater first, whose sum it is",
        Tensor("clongdouble[double-double]", (1,), struct.pack("<4d", 1.0, 2.0**-60, -2.0, 0.0)),
    ),
    ("dataclass", "a Record: type name, form, fields in order", Quote("X", 1.5)),
    ("namedtuple", "", Pair(1, [2])),
    ("enum", "by name and value", Colour.RED),
    ("list nested 25 deep", "the 20th container is serialized on its own, in nested_value", _deep(25)),
    ("list nested 60 deep", "the parsers' 100 messages are no limit", _deep(60)),
)


def serialized(value: pb.Value) -> bytes:
    """A Value's bytes as the table has them."""
    return bytes(value.SerializeToString(deterministic=True))


def table() -> dict[str, Any]:
    """The file's content."""
    made = []
    for name, why, value in CASES:
        case: dict[str, Any] = {"name": name}
        if why:
            case["why"] = why
        message = encode(value)
        text = repr(value) if not isinstance(value, Tensor) else f"dtype={value.dtype} shape={value.shape}"
        case |= {"kind": message.WhichOneof("kind"), "python": text, "value": serialized(message).hex()}
        if isinstance(value, list) and message.WhichOneof("kind") in (
            "int_list",
            "double_list",
            "bool_list",
            "string_list",
        ):
            case["also"] = [serialized(pb.Value(list_value=pb.ListValue(values=map(encode, value)))).hex()]
        if message.WhichOneof("kind") == "string_map":
            entries = [pb.MapEntry(key=encode(key), value=encode(item)) for key, item in value.items()]
            case["also"] = [serialized(pb.Value(map_value=pb.MapValue(entries=entries))).hex()]
        made.append(case)
    return {"message": "callgate.v1.Value", "cases": made}


class _Quoted(yaml.SafeDumper):
    """Quotes every string: "0800" and "12e4" are numbers to some parsers."""


_Quoted.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))

_HEADER = """\
# Named values with the exact bytes of their callgate.v1.Value, for every client's tests.
# Written by `python -m tests.conformance.golden_values`; what each key means is said there.
"""

if __name__ == "__main__":
    FILE.write_text(_HEADER + yaml.dump(table(), Dumper=_Quoted, sort_keys=False, allow_unicode=False, width=4096))
