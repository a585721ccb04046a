"""Arguments towards type hints: what is converted, what passes, what is refused and by which name."""

from __future__ import annotations

import collections
import enum
import functools
import pathlib
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NewType, Protocol, TypedDict, TypeVar
from uuid import UUID

import pytest

from callgate import Record
from callgate.convert import Mismatch, converter
from callgate_server.conversion import ArgumentMismatch, converter_for

pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")
attrs = pytest.importorskip("attrs", reason="attrs is not installed")

T = TypeVar("T")
UserId = NewType("UserId", int)


class Colour(enum.Enum):
    RED = "r"
    GREEN = 2
    r2 = "RED"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Picky(enum.Enum):
    ONE = 1

    @classmethod
    def _missing_(cls, value: object) -> Any:
        raise LookupError("no such thing")


@dataclass
class Point:
    x: float
    y: float = 0.0
    tags: list[str] = field(default_factory=list)


@dataclass
class Tree:
    value: int
    children: list[Tree] = field(default_factory=list)
    colour: Colour | None = None


class Pair(NamedTuple):
    left: int
    when: date = date(2024, 1, 1)


class Options(TypedDict, total=False):
    size: typing.Required[int]
    at: datetime


@attrs.define
class Crate:
    weight: Decimal
    _owner: str = "me"


class Model(pydantic.BaseModel):  # type: ignore[name-defined, misc]  # importorskip gives Any
    name: str
    points: list[Point] = []  # noqa: RUF012  # pydantic copies defaults
    colour: Colour = Colour.RED


class Duck(Protocol):
    def quack(self) -> None: ...


ID = "12345678-1234-5678-1234-567812345678"


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (UUID, ID, UUID(ID)),
        (Decimal, "1.50", Decimal("1.50")),
        (Decimal, 3, Decimal(3)),
        (datetime, "2024-02-29T12:00:00+01:00", datetime.fromisoformat("2024-02-29T12:00:00+01:00")),
        (date, "2024-02-29", date(2024, 2, 29)),
        (pathlib.Path, "a/b", pathlib.Path("a/b")),
        (bytearray, b"x", bytearray(b"x")),
        (Colour, "r", Colour.RED),
        (Colour, "GREEN", Colour.GREEN),
        (Colour, 2, Colour.GREEN),
        (Colour, Record("any:Name", {"name": "RED", "value": 9}, "enum"), Colour.RED),
        (Access, 3, Access.READ | Access.WRITE),
        (Access, Record("a:b", {"name": "", "value": 3}, "enum"), Access.READ | Access.WRITE),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[UUID, ...], [ID], (UUID(ID),)),
        (set[int], [1, 2, 2], {1, 2}),
        (frozenset[int], (1, 2), frozenset({1, 2})),
        (list[int], (1, 2), [1, 2]),
        (list[UUID], [ID], [UUID(ID)]),
        (Sequence[UUID], (ID,), (UUID(ID),)),
        (collections.deque, [1], collections.deque([1])),
        (dict[UUID, Colour], {ID: "r"}, {UUID(ID): Colour.RED}),
        (Mapping[str, Decimal], {"a": "1"}, {"a": Decimal(1)}),
        (UUID | None, ID, UUID(ID)),
        (UUID | None, None, None),
        (UUID | str, ID, ID),
        (list[Point] | Point, Record("x:Point", {"x": 1.0}), Point(1.0)),
        (Point, Record("go:Pt", {"x": 1, "tags": ("a",)}), Point(1, 0.0, ["a"])),
        (Point, {"x": 1.5}, Point(1.5)),
        (Pair, [1, "2024-05-05"], Pair(1, date(2024, 5, 5))),
        (Pair, {"left": 1}, Pair(1)),
        (Crate, {"weight": "1.5", "_owner": "you"}, Crate(Decimal("1.5"), "you")),
        (Tree, {"value": 1, "children": [{"value": 2, "colour": "r"}]}, Tree(1, [Tree(2, [], Colour.RED)])),
        (Options, {"size": 1, "at": "2024-01-01"}, {"size": 1, "at": datetime(2024, 1, 1)}),
        (
            Model,
            Record("x:Model", {"name": "m", "points": [Record("x:P", {"x": 1.0})]}),
            Model(name="m", points=[Point(1)]),
        ),
        (
            Model,
            {"name": "m", "colour": Record("c:C", {"name": "GREEN", "value": 2}, "enum")},
            Model(name="m", colour=2),
        ),
        (Annotated[UUID, "what it is"], ID, UUID(ID)),
        (Annotated[int, pydantic.Field(gt=0)], 3, 3),
        (UserId, 3, 3),
        (Literal["a", 1], 1, 1),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_unambiguous_is_converted(hint: Any, value: Any, expected: Any) -> None:
    convert = converter(hint)
    assert convert is not None
    made = convert(value)
    assert (made, type(made)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("hint", "value", "problem"),
    [
        (int, 2.0, "2.0 is a float, and an int is wanted"),
        (int, "2", "'2' is a str, and an int is wanted"),
        (str, 2, "2 is an int, and a str is wanted"),
        (bool, 1, "1 is an int, and a bool is wanted"),
        (Decimal, 0.1, "0.1 is a float"),
        (Decimal, "１", "is a str, and a Decimal"),
        (UUID, "no", "'no' is a str, and a UUID"),
        (datetime, "yesterday", "is not a datetime in ISO 8601"),
        (Colour, "blue", r"'blue' is a str, and a Colour \(RED, GREEN, r2\) is wanted"),
        (Colour, "RED", "the value of r2 and the name of another member"),
        (Colour, True, "a Colour"),
        (tuple[int, int], [1], "1 elements, and 2 are wanted"),
        (list[int], [1, 2.5], r"\[1\]: 2.5 is a float"),
        (list[int], {1}, "a set where a list is wanted"),
        (Sequence[int], 5, "5 is an int, and a Sequence is wanted"),
        (set[list[int]], [[1]], "no set can be made of it"),
        (dict[str, int], {"a": "b"}, r"\['a'\]: 'b' is a str"),
        (dict[str, int], {1: 1}, r".key\(0\): 1 is an int"),
        (UUID | Decimal, "12345678123456781234567812345678", "could become a UUID or Decimal"),
        (Point, {"y": 1.0}, "the field 'x' of Point is missing"),
        (Point, {"x": 1.0, "z": 1}, "Point has no field 'z'"),
        (Point, {"x": "1"}, ".x: '1' is a str, and a float is wanted"),
        (Tree, {"value": 1, "children": [{"value": "x"}]}, r".children\[0\].value: 'x' is a str"),
        (Options, {}, "the key 'size' of Options is missing"),
        (Model, {"name": 1}, ".name: Input should be a valid string"),
        (Annotated[int, pydantic.Field(gt=0)], 0, "Input should be greater than 0"),
        (Annotated[int, pydantic.Field(gt=0)], 1.0, "1.0 is a float, and an int is wanted"),
        (Literal["a", 1], True, "True is a bool, and one of 'a', 1 is wanted"),
        (timedelta, 5, "5 is an int, and a timedelta is wanted"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_does_not_fit_is_refused(hint: Any, value: Any, problem: str) -> None:
    convert = converter(hint)
    assert convert is not None
    with pytest.raises(Mismatch, match=problem):
        convert(value)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (float, 2), (float, True), (complex, 1.5), (list[float], [1, 2.5]), (list, [object()]), (Iterable[int], "x"),
        (Iterable[int], range(3)), (Sequence[str], "text"), (Mapping[str, int], collections.OrderedDict(a=1)),
        (date, datetime(2024, 1, 1)), (dict[str, Any], {"a": object()}), (bytes, b"x"), (Point, Point(1)),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_what_fits_comes_back_itself_uncopied(hint: Any, value: Any) -> None:
    convert = converter(hint)
    assert convert is None or convert(value) is value


@pytest.mark.parametrize(
    "hint", [Any, object, T, Duck, Callable[[int], int], type[int], int | Any, Callable, collections.abc.Hashable]
)
def test_hints_that_any_value_meets_cost_nothing(hint: Any) -> None:
    assert converter(hint) is None


def test_numpy_scalars_pass_as_numbers() -> None:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    for hint, value in ((int, np.int64(1)), (float, np.float32(1)), (complex, np.complex64(1)), (bool, np.bool_(True))):
        assert converter(hint)(value) is value  # type: ignore[misc]  # none of these is None
    array = np.zeros(2)
    assert converter(np.ndarray)(array) is array  # type: ignore[misc]  # as above
    with pytest.raises(Mismatch, match=r"a list where numpy\.ndarray is wanted"):
        converter(np.ndarray)([1.0])  # type: ignore[misc]  # as above


def test_functions_without_hints_are_not_converted() -> None:
    import math

    assert converter_for(math.sqrt) is None
    assert converter_for(lambda x, *y, **z: x) is None
    assert converter_for(functools.partial(lambda x: x)) is None

    def returns(x, y=1) -> int:  # type: ignore[no-untyped-def]  # no hints are the point
        return 1

    assert converter_for(returns) is None


def test_each_argument_goes_by_its_parameter() -> None:
    def function(a: UUID, /, b: Colour, *rest: Decimal, c: date, d: int = None, **more: Point) -> None:  # type: ignore[assignment]  # noqa: RUF013  # None for int is what is tested
        pass

    convert = converter_for(function)
    assert convert is not None
    args, kwargs = convert([ID, "r", "1", "2"], {"c": "2024-01-01", "d": None, "p": {"x": 1.0}})
    assert args == [UUID(ID), Colour.RED, Decimal(1), Decimal(2)]
    assert kwargs == {"c": date(2024, 1, 1), "d": None, "p": Point(1.0)}


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        (["x"], {}, "a: 'x' is a str, and an int is wanted"),
        ([1], {"b": [1, "x"]}, "b[1]: 'x' is a str, and an int is wanted"),
        ([1, [1], "y"], {}, "rest[0]: 'y' is a str, and a float is wanted"),
        ([1], {"other": "z"}, "other: 'z' is a str, and a bool is wanted"),
    ],
)
def test_a_mismatch_names_the_parameter(args: list[Any], kwargs: dict[str, Any], said: str) -> None:
    def function(a: int, b: list[int] = [], *rest: float, **more: bool) -> None:  # noqa: B006  # never changed
        pass

    convert = converter_for(function)
    assert convert is not None
    with pytest.raises(ArgumentMismatch) as caught:
        convert(args, kwargs)
    assert str(caught.value) == said


def test_too_many_arguments_are_left_to_the_call() -> None:
    def function(a: int) -> None:
        pass

    convert = converter_for(function)
    assert convert is not None
    assert convert([1, 2, 3], {"z": 4}) == ([1, 2, 3], {"z": 4})


def test_a_hint_that_does_not_evaluate_costs_only_its_own_parameter() -> None:
    def function(a: NotThere, b: UUID) -> None:  # type: ignore[name-defined]  # noqa: F821  # the point
        pass

    convert = converter_for(function)
    assert convert is not None
    assert convert(["x", ID], {}) == (["x", UUID(ID)], {})


def test_classes_methods_partials_and_callable_objects_are_converted() -> None:
    class Thing:
        def __init__(self, at: UUID) -> None:
            self.at = at

        def method(self, at: UUID) -> UUID:
            return at

        __call__ = method

    thing = Thing(UUID(ID))
    for function in (Thing, thing.method, thing, functools.partial(thing.method)):
        convert = converter_for(function)
        assert convert is not None
        assert convert([ID], {}) == ([UUID(ID)], {})


def test_a_function_that_pydantic_validates_is_left_to_pydantic() -> None:
    @pydantic.validate_call  # type: ignore[untyped-decorator]  # importorskip gives Any
    def function(n: int) -> int:
        return n

    assert converter_for(function) is None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type statements need Python 3.12")
def test_type_aliases_are_followed() -> None:
    names: dict[str, Any] = {}
    exec("type Ids = list[UUID]", {"UUID": UUID}, names)
    assert converter(names["Ids"])([ID]) == [UUID(ID)]  # type: ignore[misc]  # it is not None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type statements need Python 3.12")
def test_generic_type_aliases_are_followed_with_their_arguments() -> None:
    names: dict[str, Any] = {"UUID": UUID}
    exec("type Swapped[A, B] = tuple[B, A]\ntype Tree[T] = T | list[Tree[T]]\ntype Plain[T] = list[UUID]", names)
    assert converter(names["Swapped"][int, UUID])([ID, 1]) == (UUID(ID), 1)  # type: ignore[misc]  # it is not None
    with pytest.raises(Mismatch, match="'1' is a str, and an int is wanted"):
        converter(names["Swapped"][int, UUID])([ID, "1"])  # type: ignore[misc]  # as above
    assert converter(names["Tree"][UUID])([[ID], ID]) == [[UUID(ID)], UUID(ID)]  # type: ignore[misc]  # as above
    assert converter(names["Plain"][int])([ID]) == [UUID(ID)]  # type: ignore[misc]  # as above


def test_a_hint_of_ndarray_by_its_elements_takes_arrays_and_nothing_else() -> None:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    from numpy.typing import NDArray

    convert = converter(NDArray[np.float64])
    assert convert is not None
    array = np.zeros(2)
    assert convert(array) is array
    with pytest.raises(Mismatch, match=r"a list where numpy\.ndarray is wanted"):
        convert([1.0])


def test_a_type_whose_own_code_raises_is_a_mismatch_of_the_parameter() -> None:
    def function(kind: Picky) -> None:
        pass

    convert = converter_for(function)
    assert convert is not None
    with pytest.raises(ArgumentMismatch, match="kind: its type refuses it: LookupError"):
        convert([7], {})
