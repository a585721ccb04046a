"""Bytes that every decoder must refuse: what each case of cases/bad_values.yaml is made from.

`python -m tests.conformance.bad_values` writes the file anew. New cases go to its end.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from callgate.v1 import value_pb2 as pb

__all__ = ["CASES", "FILE", "content"]

FILE = Path(__file__).parent / "cases" / "bad_values.yaml"

_ONE = pb.Value(int_value=1)
_A = pb.Value(string_value="a")


def _list(*values: pb.Value) -> pb.Value:
    return pb.Value(list_value=pb.ListValue(values=values))


def _map(**values: pb.Value) -> pb.Value:
    return pb.Value(string_map=pb.StringMap(keys=values.keys(), values=values.values()))


def _nested(value: pb.Value) -> pb.Value:
    return pb.Value(nested_value=value.SerializeToString())


def _deep(levels: int) -> pb.Value:
    """Lists in lists, serialized on their own every 20 levels, as encoders do."""
    value = pb.Value(string_value="bottom")
    for level in range(1, levels + 1):
        value = _list(value)
        if level % 20 == 0:
            value = _nested(value)
    return value


def _nested_in_nested(times: int) -> pb.Value:
    value = _ONE
    for _ in range(times):
        value = _nested(value)
    return value


def _time(**parts: int) -> pb.Value:
    return pb.Value(time_value=pb.TimeOfDay(**parts))


def _zone(**about: object) -> pb.Value:
    return pb.Value(time_value=pb.TimeOfDay(hour=1, time_zone=pb.TimeZone(**about)))  # type: ignore[arg-type]  # by name


def _tensor(dtype: str, shape: list[int], data: bytes, *, scalar: bool = False) -> pb.Value:
    return pb.Value(tensor_value=pb.Tensor(dtype=dtype, shape=shape, data=data, scalar=scalar))


def _record(*fields: tuple[str, pb.Value]) -> pb.Value:
    made = [pb.RecordField(name=name, value=value) for name, value in fields]
    return pb.Value(record_value=pb.Record(type_name="shop:Order", form=pb.RECORD_FORM_DATACLASS, fields=made))


#: Name, why, the bytes, and a pattern that the refusal's message must have ("" for any).
CASES: tuple[tuple[str, str, pb.Value | bytes, str], ...] = (
    ("no kind is set", "a newer client's kind, or an empty message, must not become a null", pb.Value(), ""),
    ("no kind is set inside a list", "the message says where", _list(_ONE, pb.Value()), r"\[1\]"),
    (
        "no kind is set deep inside",
        "the whole path: a reader of a log has nothing else to find the place by",
        _list(_ONE, _ONE, _ONE, _map(model=pb.Value())),
        r"\[3\]\['model'\]",
    ),
    ("an unknown kind", "a kind of a later version is refused, and not passed over", b"\x92\x03\x01x", ""),
    ("no Value at all", "bytes that protobuf cannot parse", b"\xff\xff\xff", ""),
    (
        "a string_map with a key twice",
        "which of the two would count?",
        pb.Value(string_map=pb.StringMap(keys=["a", "a"], values=[_ONE, _ONE])),
        "",
    ),
    (
        "a map with a key twice",
        "the same, as entries",
        pb.Value(map_value=pb.MapValue(entries=[pb.MapEntry(key=_ONE, value=_A), pb.MapEntry(key=_ONE, value=_ONE)])),
        "",
    ),
    (
        "a string_map with more keys than values",
        "keys[i] belongs to values[i]",
        pb.Value(string_map=pb.StringMap(keys=["a", "b"], values=[_ONE])),
        "",
    ),
    (
        "a string_map with more values than keys",
        "the other way round, which a loop over the keys would not see",
        pb.Value(string_map=pb.StringMap(keys=["a"], values=[_ONE, _ONE])),
        "",
    ),
    (
        "a map entry without a value",
        "both are needed",
        pb.Value(map_value=pb.MapValue(entries=[pb.MapEntry(key=_A)])),
        "",
    ),
    (
        "a map with a list as key",
        "no such dict exists in Python",
        pb.Value(map_value=pb.MapValue(entries=[pb.MapEntry(key=_list(_ONE), value=_ONE)])),
        "",
    ),
    ("a set with an element twice", "no such set exists", pb.Value(set_value=pb.ListValue(values=[_ONE, _ONE])), ""),
    (
        "a frozenset with an element twice",
        "nor such a frozenset",
        pb.Value(frozenset_value=pb.ListValue(values=[_A, _A])),
        "",
    ),
    ("a set with a list in it", "lists are not hashable", pb.Value(set_value=pb.ListValue(values=[_list(_ONE)])), ""),
    ("a nested_value that is no Value", "bytes from a stranger", pb.Value(nested_value=b"\xff\xff\xff"), ""),
    ("a nested_value that is empty", "an empty message has no kind", pb.Value(nested_value=b""), ""),
    ("lists nested 101 deep", "100 levels is the limit, however they are serialized", _deep(101), ""),
    ("lists nested 400 deep", "no decoder's stack may be a stranger's to fill", _deep(400), ""),
    (
        "a nested_value in every level",
        "each holds a copy of all inside it: bytes would multiply a hundredfold",
        _nested_in_nested(60),
        "",
    ),
    ("a big_int without bytes", "two's complement has at least one byte", pb.Value(big_int_value=b""), ""),
    ("a decimal that is none", "text that only looks like one", pb.Value(decimal_value="12x"), ""),
    ("a decimal that is empty", "nothing is no number", pb.Value(decimal_value=""), ""),
    (
        "a decimal with underscores",
        "Decimal() would take it, str(Decimal) never writes it",
        pb.Value(decimal_value="1_000"),
        "",
    ),
    ("a decimal with blanks", "the same", pb.Value(decimal_value=" 1 "), ""),
    ("a UUID of 15 bytes", "16 are right", pb.Value(uuid_value=b"x" * 15), ""),
    (
        "a surrogate string that is not WTF-8",
        "0xff is in no encoding of a character",
        pb.Value(surrogate_string_value=b"\xff"),
        "",
    ),
    ("a date of month 13", "no such day", pb.Value(date_value=pb.Date(year=2024, month=13, day=1)), ""),
    ("a 30th of February", "no such day", pb.Value(date_value=pb.Date(year=2024, month=2, day=30)), ""),
    (
        "a 29th of February in a common year",
        "no such day",
        pb.Value(date_value=pb.Date(year=2023, month=2, day=29)),
        "",
    ),
    ("a date in year 0", "Python's years are 1 to 9999", pb.Value(date_value=pb.Date(year=0, month=1, day=1)), ""),
    ("a date that is empty", "all three are needed", pb.Value(date_value=pb.Date()), ""),
    ("a time of hour 24", "0 to 23", _time(hour=24), ""),
    ("a time of second 60", "Python has no leap seconds", _time(second=60), ""),
    ("a time of a million microseconds", "0 to 999,999", _time(microsecond=1_000_000), ""),
    (
        "a time zone that leaves the database",
        "a key names no file of its own choosing",
        _zone(key="../../etc/passwd"),
        "",
    ),
    ("a time zone a day off", "offsets are below 24 hours", _zone(utc_offset=pb.TimeDelta(days=1)), ""),
    (
        "a timedelta beyond Python's",
        "999,999,999 days is the most",
        pb.Value(timedelta_value=pb.TimeDelta(days=1_000_000_000)),
        "",
    ),
    ("a tensor of too few bytes", "2 × 3 int32 take 24", _tensor("int32", [2, 3], b"\0" * 20), ""),
    ("a tensor of too many bytes", "one int32 takes 4", _tensor("int32", [1], b"\0" * 8), ""),
    ("a tensor with a negative dimension", "-1 × -1 is 1 to a careless product", _tensor("int8", [-1, -1], b"\0"), ""),
    ("a tensor whose size overflows", "2**62 × 8 is 0 to a careless product", _tensor("int8", [1 << 62, 8], b""), ""),
    ("a tensor of an unknown dtype", "object arrays hold pointers", _tensor("object", [1], b"\0" * 8), ""),
    ("a tensor scalar with a shape", "a scalar has none", _tensor("float32", [1], b"\0" * 4, scalar=True), ""),
    ("a record with a field twice", "which of the two would count?", _record(("id", _ONE), ("id", _A)), ""),
    ("a record with a field without a value", "the message says which", _record(("id", pb.Value())), r"\.id|\['id'\]"),
    (
        "a list whose bytes end too early",
        "71 bytes are announced and one comes: half a list must not become a whole one",
        b"\x4a\x47\x00",
        "",
    ),
    (
        "a string whose bytes end too early",
        "five bytes are announced and two come",
        b"\x32\x05ab",
        "",
    ),
)


class _Hex(str):
    """Written as `!hex "…"`."""


class _Pattern(str):
    """Written as `!re "…"`."""


class _Quoted(yaml.SafeDumper):
    """Quotes every string."""


def _tagged(tag: str) -> object:
    return lambda dumper, text: dumper.represent_scalar(tag, str(text), style='"')


_Quoted.add_representer(str, _tagged("tag:yaml.org,2002:str"))  # type: ignore[arg-type]  # a lambda has no types
_Quoted.add_representer(_Hex, _tagged("!hex"))  # type: ignore[arg-type]  # as above
_Quoted.add_representer(_Pattern, _tagged("!re"))  # type: ignore[arg-type]  # as above

_HEADER = """\
# What every decoder must refuse: bytes of a callgate.v1.Value that is no value of Python, or goes beyond the limits.
# Written by `python -m tests.conformance.bad_values`.
"""


def content() -> str:
    """The file's text."""
    cases = []
    for name, why, value, pattern in CASES:
        data = value if isinstance(value, bytes) else value.SerializeToString(deterministic=True)
        case: dict[str, object] = {"name": f"refused: {name}", "why": why, "decode": _Hex(data.hex())}
        case["refused"] = {"message": _Pattern(pattern)} if pattern else {}
        cases.append(case)
    return _HEADER + yaml.dump({"cases": cases}, Dumper=_Quoted, sort_keys=False, width=4096)


if __name__ == "__main__":
    FILE.write_text(content(), "utf-8")
