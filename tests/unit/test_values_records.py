"""Dataclasses, namedtuples, Enums, pydantic models and attrs classes."""

from __future__ import annotations

import copy
import enum
import pickle
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import callgate
from callgate import Record, ValueDecodeError, ValueFormError, records
from callgate.convert import Mismatch
from callgate.values import decode, encode

pytestmark = pytest.mark.usefixtures("both_ways")

attrs = pytest.importorskip("attrs", reason="attrs is not installed")
pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"
    ODD = object()


class Level(enum.IntEnum):
    LOW = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.0
    colour: Colour = Colour.RED
    length: float = field(init=False, default=1.0)


Pair = namedtuple("Pair", "left right")


class Typed(NamedTuple):
    name: str
    level: Level


class Model(pydantic.BaseModel):  # type: ignore[name-defined, misc]  # importorskip gives Any
    name: str
    points: list[Point] = []  # noqa: RUF012  # pydantic copies defaults
    secret: str = pydantic.Field("s3cret", exclude=True)


@attrs.define
class Crate:
    weight: int
    _hidden: str = "h"


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(records, "_registered", {})
    return


VALUES: list[Any] = [
    Colour.RED, Colour.BLUE, Level.LOW, Access.READ, Access.READ | Access.WRITE, Access(0),
    Point(1.5, 2.0, Colour.BLUE), Pair(1, [2]), Typed("n", Level.LOW),
    Model(name="m", points=[Point(1.0)]), Crate(3, "x"),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_an_instance_of_a_registered_type_comes_back(value: Any) -> None:
    for kind in (Colour, Level, Access, Point, Pair, Typed, Model, Crate):
        callgate.register(kind)
    back = decode(encode(value))
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_an_instance_of_an_unknown_type_comes_back_as_a_record_that_goes_again(value: Any) -> None:
    message = encode({"v": value})
    back = decode(message)["v"]
    assert type(back) is Record
    assert back.type_name == f"{__name__}:{type(value).__qualname__}"
    assert encode({"v": back}) == message
    assert back.to(type(value)) == value


def test_a_record_is_read_by_name_and_by_attribute() -> None:
    record = decode(encode(Point(1.5, colour=Colour.BLUE)))
    assert (record["x"], record.y, record.form) == (1.5, 0.0, "dataclass")
    assert (record.colour["name"], record.colour.value, record.colour.form) == ("BLUE", "b", "enum")
    with pytest.raises(AttributeError, match="has no field 'z'"):
        record.z  # noqa: B018  # the access is what is tested
    assert repr(decode(encode(Pair(1, 2)))) == f"<{__name__}:Pair left=1, right=2>"


def test_records_are_keys_and_can_be_copied_and_pickled() -> None:
    back = decode(encode({Colour.RED: 1, (Level.LOW,): {Colour.BLUE}}))
    assert next(iter(back)) == decode(encode(Colour.RED))
    assert pickle.loads(pickle.dumps(back)) == back == copy.deepcopy(back)
    assert Record("t", {"a": 1, "b": 2}) in {Record("t", {"b": 2, "a": 1})}


def test_a_member_whose_value_has_no_form_still_has_its_name() -> None:
    assert dict(decode(encode(Colour.ODD))) == {"name": "ODD"}
    assert decode(encode([Colour.ODD]))[0].to(Colour) is Colour.ODD


def test_what_a_model_keeps_out_of_dumps_stays_out() -> None:
    assert "secret" not in decode(encode(Model(name="m")))


def test_a_field_without_a_value_is_named() -> None:
    broken = object.__new__(Point)
    with pytest.raises(ValueFormError, match="the field 'x' of this Point is not set"):
        encode(broken)


def test_a_record_that_does_not_fit_its_registered_type_is_refused_with_the_path() -> None:
    callgate.register(Point)
    message = encode([Record(f"{__name__}:Point", {"x": "far"}, "dataclass")])
    with pytest.raises(ValueDecodeError, match=r"result\[0\].x: 'far' is a str, and a float is wanted"):
        decode(message)


def test_a_record_to_a_type_that_refuses_it_is_a_mismatch() -> None:
    @dataclass
    class Positive:
        n: int

        def __post_init__(self) -> None:
            if self.n < 0:
                raise ValueError("negative")

    with pytest.raises(Mismatch, match="Positive refuses it: ValueError: negative"):
        Record("x:Positive", {"n": -1}).to(Positive)


def test_only_records_can_be_registered() -> None:
    with pytest.raises(TypeError, match="no dataclass"):
        callgate.register(int)


SIMPLE = st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        SIMPLE,
        lambda inner: st.one_of(
            st.builds(Point, inner, inner, st.sampled_from(Colour)),
            st.builds(Pair, inner, st.lists(inner, max_size=3)),
            st.builds(Crate, st.integers(), inner),
            st.tuples(st.sampled_from(Access), st.sampled_from(Level), inner),
        ),
        max_leaves=8,
    )
)
def test_any_nest_of_records_comes_back_once_registered(value: Any) -> None:
    records._registered.update({records.type_name(kind): kind for kind in (Colour, Level, Access, Pair, Crate)})
    # Fields with hints of their own would be converted: these take anything.
    records._registered.pop(records.type_name(Crate))
    back = decode(encode(value))
    assert encode(back) == encode(value)
    if not _holds(value, (Point, Crate)):
        assert back == value


def _holds(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, kinds):
        return True
    return isinstance(value, list | tuple) and any(_holds(item, kinds) for item in value)
