"""What crosses between interpreters is the same value, or is refused with the same words, and never is code."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import pickle
import uuid
import zoneinfo
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate import ValueFormError
from callgate.records import Record
from callgate.values import encode
from callgate_server.crossing import pack, unpack_here, unpack_inside

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.complex_numbers(allow_nan=False) | st.decimals(allow_nan=False) | st.uuids() | st.dates() | st.times()
    | st.timedeltas() | st.datetimes(timezones=st.none() | st.just(datetime.UTC) | st.timezones()),
    lambda inner: st.lists(inner, max_size=4)
    | st.tuples(inner, inner)
    | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    | st.sets(st.integers() | st.text(max_size=5), max_size=4)
    | st.frozensets(st.integers(), max_size=4),
    max_leaves=12,
)  # fmt: skip


def typed(value: Any) -> Any:
    """A value with its types and order: 1 == 1.0 == True would hide a change."""
    if isinstance(value, dict):
        return dict, [(typed(key), typed(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [typed(item) for item in value]
    return type(value), value


@given(plain)
def test_a_value_is_the_same_on_the_other_side(value):
    assert typed(unpack_here(pack(value))) == typed(value)
    assert typed(unpack_inside(pack(value))) == typed(value)


@dataclass
class Point:
    x: int
    y: Any = 0.5


class Colour(enum.Enum):
    RED = 1
    ODD = object()  # no Value form: only its name travels


class Level(enum.IntEnum):
    LOW = 1


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise AssertionError("an overridden method was asked")


Pair = collections.namedtuple("Pair", "a b")

RECORDS = [
    Point(1), [Point(1), {"k": Point(2, [Point(3)])}], Colour.RED, Colour.ODD, Level.LOW, Pair(1, "b"), Loud("loud"),
    collections.OrderedDict(a=1), collections.defaultdict(list, {"a": [1]}), collections.Counter("aab"),
    Record("go:T", {"x": 1}),
    datetime.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    datetime.timezone(datetime.timedelta(hours=1), "here").utcoffset(None), decimal.Decimal("-0E+3"), uuid.UUID(int=7),
]  # fmt: skip


@pytest.mark.parametrize("value", RECORDS, ids=lambda value: type(value).__name__)
def test_what_crossed_encodes_like_the_original(value):
    assert encode(unpack_here(pack(value))) == encode(value)


class OwnZone(datetime.tzinfo):
    pass


def a_generator():
    yield 1


class Outer:
    class Inner:
        pass


FORMLESS = [
    object(), [1, {"model": Outer.Inner()}], {"a": (1, {2, 3}), "b": b"x".__add__}, len, Point, lambda: 0, range(3),
    bytearray(b"x"), memoryview(b"x"), ValueError("returned"), datetime.datetime(2024, 1, 1, tzinfo=OwnZone()),
    Point(1, object()), {1: {object(): 2}}, collections.deque([1]), NotImplemented, decimal.Decimal,
]  # fmt: skip


@pytest.mark.parametrize("value", FORMLESS, ids=lambda value: type(value).__name__)
def test_what_has_no_value_form_is_refused_with_the_words_and_the_path_of_the_original(value):
    with pytest.raises(ValueFormError) as original:
        encode(value)
    with pytest.raises(ValueFormError) as crossed:
        encode(unpack_here(pack(value)))
    assert str(crossed.value) == str(original.value)


def test_a_generator_is_closed_and_refused():
    generator = a_generator()
    with pytest.raises(ValueFormError, match="generator has no Value form"):
        encode(unpack_here(pack([generator])))
    with pytest.raises(StopIteration):
        next(generator)


class Hostile:
    asked = False

    def __reduce__(self):
        Hostile.asked = True
        return print, ("run by unpickling",)

    def __getstate__(self):
        Hostile.asked = True
        return {}


def test_a_values_own_idea_of_pickling_is_never_asked_for():
    pack(Hostile())
    pack([{"deep": Hostile()}])
    assert not Hostile.asked


class Reducing:
    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize(
    "name",
    ["os.system", "builtins.eval", "builtins.getattr", "subprocess.Popen", "callgate_server.crossing.pickle.loads"],
)
def test_data_that_names_code_is_refused(name):
    module, _, attribute = name.rpartition(".")
    data = b"\x80\x04" + b"".join(
        b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, attribute)
    ) + b"\x93)R."  # fmt: skip
    with pytest.raises(pickle.UnpicklingError, match="not among the data"):
        unpack_here(data)


def test_a_real_pickle_of_an_object_is_refused():
    with pytest.raises(pickle.UnpicklingError, match=r"Point is not among the data"):
        unpack_here(pickle.dumps(Point(1)))
    with pytest.raises(pickle.UnpicklingError, match=r"not among the data"):
        unpack_here(pickle.dumps(Reducing(exec, ("raise SystemExit",))))


def test_types_without_end_do_not_fill_the_memory():
    from callgate_server import crossing

    for number in range(2100):
        pack(type(f"T{number}", (), {})())
    assert len(crossing._found) <= 1000


def test_a_value_far_too_deep_is_an_error_not_a_crash():
    value: Any = []
    for _ in range(1_000_000):
        value = [value]
    with pytest.raises(RecursionError):
        pack(value)
    while value:  # unwound by hand: dropping it whole recurses in C
        value = value.pop()
