"""Every kind of Value comes back as it went: equal, and of the same type."""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate import ValueDecodeError, ValueFormError
from callgate.v1 import value_pb2 as pb
from callgate.values import decode, encode

pytestmark = pytest.mark.usefixtures("both_ways")


def round_trip(value: Any) -> Any:
    return decode(pb.Value.FromString(encode(value).SerializeToString()))


def same(left: Any, right: Any) -> bool:
    """Equal, of the same type all the way down, NaNs and signed zeros and folds included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return (left != left and right != right) or (
            left == right and math.copysign(1, left) == math.copysign(1, right)
        )
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    if isinstance(left, Decimal):
        return left.as_tuple() == right.as_tuple()
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return len(left) == len(right) and all(
            same(a, b)
            for one, two in zip(left.items(), right.items(), strict=True)
            for a, b in zip(one, two, strict=True)
        )
    if isinstance(left, datetime | time):
        return (
            left.replace(tzinfo=None) == right.replace(tzinfo=None)
            and left.fold == right.fold
            and repr(left.tzinfo) == repr(right.tzinfo)
        )
    return bool(left == right)


ZONES = st.one_of(
    st.none(),
    st.just(timezone.utc),  # noqa: UP017  # the name that 3.11's documentation of timezone uses
    st.builds(
        timezone, st.timedeltas(min_value=timedelta(hours=-23, minutes=-59), max_value=timedelta(hours=23, minutes=59))
    ),
    st.builds(timezone, st.just(timedelta(hours=1)), st.text(min_size=1, max_size=8)),
    st.sampled_from([ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York"), ZoneInfo("UTC")]),
)
# Far from the ends of the calendar, where a zone's offset leaves it.
DATETIMES = st.datetimes(
    min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=ZONES, allow_imaginary=True
)
HASHABLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(),
    st.text(st.characters(categories=["Cs", "Ll"])),
    st.binary(),
    st.decimals(allow_nan=False),
    st.dates(),
    st.times(timezones=ZONES),
    DATETIMES,
    st.timedeltas(),
    st.uuids(),
)
SCALARS = st.one_of(HASHABLE, st.floats(), st.complex_numbers(), st.decimals(allow_nan=True))
KEYS = st.recursive(HASHABLE, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
        st.sets(KEYS, max_size=4),
        st.frozensets(KEYS, max_size=4),
        st.lists(st.floats()),
        st.lists(st.integers()),
        st.lists(st.booleans()),
        st.lists(st.text()),
        st.dictionaries(st.text(), inner, max_size=4),
    ),
    max_leaves=20,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_value_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    assert same(round_trip(value), value)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_encoding_a_decoded_value_gives_the_same_bytes(value: Any) -> None:
    data = encode(value).SerializeToString()
    again = encode(decode(pb.Value.FromString(data))).SerializeToString()
    assert again == data or _has_sets(value)  # a set's order is its own


def _has_sets(value: Any) -> bool:
    if isinstance(value, set | frozenset):
        return len(value) > 1 or any(map(_has_sets, value))
    if isinstance(value, dict):
        return any(map(_has_sets, value)) or any(map(_has_sets, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_sets, value))


@pytest.mark.parametrize("bits", [63, 64, 65, 71, 72, 73, 127, 128, 100_000])
@pytest.mark.parametrize("offset", [-1, 0, 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_integers_around_each_power_of_two_come_back(bits: int, offset: int, sign: int) -> None:
    value = sign * (1 << bits) + offset
    assert round_trip(value) == value


def test_a_list_of_ints_beyond_64_bits_comes_back() -> None:
    assert round_trip([1, 1 << 70, -1]) == [1, 1 << 70, -1]


@pytest.mark.parametrize(
    "text", ["0", "-0", "-0E+3", "1.50", "NaN", "-NaN", "sNaN12", "-Infinity", "1E+999999", "1E-999999"]
)
def test_a_decimal_keeps_its_sign_exponent_and_payload(text: str) -> None:
    assert round_trip(Decimal(text)).as_tuple() == Decimal(text).as_tuple()


def test_a_fold_and_a_zone_survive() -> None:
    value = datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Paris"))
    back = round_trip(value)
    assert (back, back.fold, back.tzinfo) == (value, 1, ZoneInfo("Europe/Paris"))
    assert back.utcoffset() == timedelta(hours=1)


def test_a_zone_that_is_not_in_the_database_becomes_its_offset() -> None:
    message = encode(datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Paris")))
    message.datetime_value.time.time_zone.key = "Mars/Olympus_Mons"
    back = decode(message)
    assert back.tzinfo == timezone(timedelta(hours=2), "Mars/Olympus_Mons")


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "Europe/../../x", "a" * 65, "x\0y", ".hidden"])
def test_a_zone_key_that_is_a_path_is_refused(key: str) -> None:
    message = encode(datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Paris")))
    message.datetime_value.time.time_zone.key = key
    with pytest.raises(ValueDecodeError, match="no key of the IANA"):
        decode(message)


def test_a_time_of_day_in_a_zone_with_daylight_saving_time_comes_back() -> None:
    value = time(12, tzinfo=ZoneInfo("Europe/Paris"))
    back = round_trip(value)
    assert (back.hour, back.tzinfo) == (12, ZoneInfo("Europe/Paris"))


def test_another_tzinfo_is_refused_with_what_to_use_instead() -> None:
    class Odd(timezone.__base__):  # type: ignore[name-defined, misc]  # tzinfo, by way of timezone
        def utcoffset(self, at: datetime | None) -> timedelta:
            return timedelta(0)

    with pytest.raises(ValueFormError, match=r"result\[0\]: .*Odd has no Value form \(use zoneinfo"):
        encode([datetime(2024, 1, 1, tzinfo=Odd())])


def test_lone_surrogates_come_back_in_values_keys_and_lists() -> None:
    value = {"\udc80": ["a\ud800", "b"], "plain": "\udfff"}
    assert round_trip(value) == value


def test_a_dict_keeps_its_order_and_its_tuple_keys() -> None:
    value = {(1, "a"): 1, "z": 2, (2, (3,)): 3, None: 4}
    assert list(round_trip(value).items()) == list(value.items())


def test_subclasses_of_builtins_travel_as_the_builtin() -> None:
    class Loud(str):
        def __str__(self) -> str:
            return "LOUD"

    assert round_trip(defaultdict(list, a=1)) == {"a": 1}
    assert type(round_trip(OrderedDict(a=1))) is dict
    assert round_trip(Loud("quiet")) == "quiet"


def test_containers_nested_to_the_limit_come_back_and_one_more_is_refused() -> None:
    deep: Any = "bottom"
    for level in range(100):
        deep = [{"k": deep}, (deep,)][level % 2] if level < 2 else {"k": deep} if level % 2 else [deep]
    assert round_trip(deep) == deep
    with pytest.raises(ValueFormError, match="nested more than 100 levels deep"):
        encode([deep])


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (pb.Value(), "no kind set"),
        (pb.Value(uuid_value=b"short"), "has 5 bytes; 16"),
        (pb.Value(decimal_value="1_000"), "no decimal number"),
        (pb.Value(decimal_value="１"), "no decimal number"),
        (pb.Value(decimal_value="1E9999999999999999999999"), "out of range"),
        (pb.Value(big_int_value=b""), "empty"),
        (pb.Value(surrogate_string_value=b"\xff"), "not WTF-8"),
        (pb.Value(nested_value=b"\xff"), "not a serialized Value"),
        (pb.Value(date_value=pb.Date(year=0, month=1, day=1)), "no such date"),
        (pb.Value(date_value=pb.Date(year=2023, month=2, day=29)), "no such date"),
        (pb.Value(time_value=pb.TimeOfDay(hour=24)), "no such time"),
        (pb.Value(datetime_value=pb.DateTime()), "no such datetime"),
        (pb.Value(timedelta_value=pb.TimeDelta(days=2_000_000_000)), "beyond 999,999,999 days"),
        (
            pb.Value(time_value=pb.TimeOfDay(time_zone=pb.TimeZone(utc_offset=pb.TimeDelta(days=3), name="x"))),
            "time zone's offset",
        ),
        (pb.Value(string_map=pb.StringMap(keys=["a"])), "1 keys and 0 values"),
        (pb.Value(record_value=pb.Record(form=99)), "unknown form"),  # type: ignore[arg-type]  # a newer client's
        (pb.Value(arrow_value=pb.Arrow(form=99)), "unknown form"),  # type: ignore[arg-type]  # a newer client's
    ],
)
def test_what_python_could_not_hold_is_refused(message: pb.Value, problem: str) -> None:
    with pytest.raises(ValueDecodeError, match=problem):
        decode(pb.Value(list_value=pb.ListValue(values=[message])))


def test_a_uuid_is_a_uuid() -> None:
    value = UUID("12345678-1234-5678-1234-567812345678")
    assert round_trip({value: [value]}) == {value: [value]}


def test_a_date_is_not_a_datetime() -> None:
    assert [type(item) for item in round_trip([date(2024, 1, 1), datetime(2024, 1, 1)])] == [date, datetime]
