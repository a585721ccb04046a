"""Limits, cycles and hostile objects: an error that names the path, and no harm."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest

from callgate import ValueDecodeError, ValueFormError, ValueTooLarge
from callgate.v1 import value_pb2 as pb
from callgate.values import Limits, decode, decode_arguments, encode

pytestmark = pytest.mark.usefixtures("both_ways")


@dataclass
class Node:
    next: Any


def _cycle_through_all() -> Any:
    node = Node(None)
    node.next = ({"k": [node]},)
    return node


def _self_key() -> Any:
    value: dict[Any, Any] = {}
    value[1] = {"x": value}
    return value


def _list() -> Any:
    value: list[Any] = [1, [2]]
    value[1].append(value)
    return value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_list, r"result\[1\]\[1\]: the value holds itself: this is result again"),
        (_self_key, r"result\[1\]\['x'\]: the value holds itself: this is result again"),
        (_cycle_through_all, r"result.next\[0\]\['k'\]\[0\]: the value holds itself: this is result again"),
    ],
)
def test_a_value_that_holds_itself_is_refused_with_the_path(make: Any, message: str) -> None:
    with pytest.raises(ValueFormError, match=message):
        encode(make())


def test_a_cycle_below_the_top_names_both_places() -> None:
    inner: list[Any] = []
    inner.append(inner)
    with pytest.raises(
        ValueFormError, match=r"result\['a'\]\[0\]: the value holds itself: this is result\['a'\] again"
    ):
        encode({"a": inner})


def test_the_path_to_what_has_no_form_goes_through_every_container() -> None:
    with pytest.raises(ValueFormError) as caught:
        encode([1, {"model": (Node({2: object()}),)}], path="args[0]")
    assert str(caught.value) == "args[0][1]['model'][0].next[2]: object has no Value form"


def test_what_a_hint_is_known_for_says_what_to_use() -> None:
    with pytest.raises(ValueFormError, match=r"range has no Value form \(use list\(value\)\)"):
        encode(range(3))


def test_elements_are_counted_over_all_containers() -> None:
    limits = Limits(elements=10)
    assert len(encode([[1.0, 2.0]] * 2, limits=limits).list_value.values) == 2
    with pytest.raises(ValueFormError, match="more than 10 elements in all"):
        encode([[1.0, 2.0]] * 5, limits=limits)
    message = pb.Value(double_list=pb.DoubleList(values=[0.0] * 6))
    with pytest.raises(ValueDecodeError, match="more than 10 elements in all") as caught:
        decode_arguments([message, message], {}, limits=limits)
    assert (caught.value.path, caught.value.limit) == ("args[1]", 10)


@pytest.mark.parametrize("value", ["x" * 101, b"x" * 101, ["x" * 51] * 2, ["x" * 51, 1, "x" * 51], 1 << 900])
def test_bytes_are_counted_before_they_are_copied(value: Any) -> None:
    with pytest.raises(ValueTooLarge, match="more than 100 bytes in all"):
        encode(value, limits=Limits(bytes=100))


def test_a_small_value_that_unfolds_without_end_is_stopped() -> None:
    value: Any = "ha"
    for _ in range(60):
        value = [value] * 10
    with pytest.raises(ValueFormError, match="more than 100000 elements"):
        encode(value, limits=Limits(elements=100_000))


def test_depth_is_checked_before_anything_is_built() -> None:
    message = pb.Value(int_value=1)
    for _ in range(30):
        message = pb.Value(list_value=pb.ListValue(values=[message]))
    with pytest.raises(ValueDecodeError, match="nested more than 10 levels deep"):
        decode(message, limits=Limits(depth=10))


def test_nesting_at_every_level_is_refused_because_each_holds_a_copy() -> None:
    message = pb.Value(bytes_value=b"x" * 1000)
    for _ in range(20):
        message = pb.Value(nested_value=pb.Value(list_value=pb.ListValue(values=[message])).SerializeToString())
    with pytest.raises(ValueDecodeError, match="more often than every 20 levels"):
        decode(message)


def test_keys_made_to_collide_are_refused_before_they_take_their_time() -> None:
    modulus = (1 << 61) - 1  # sys.hash_info.modulus: multiples of it hash to 0
    values = [pb.Value() for _ in range(20_000)]
    for index, value in enumerate(values, 1):
        value.big_int_value = (index * modulus).to_bytes(16, "big", signed=True)
    began = time.thread_time()
    with pytest.raises(ValueDecodeError, match="same hash"):
        decode(pb.Value(set_value=pb.ListValue(values=values)))
    entries = [pb.MapEntry(key=value, value=pb.Value(int_value=1)) for value in values]
    with pytest.raises(ValueDecodeError, match="same hash"):
        decode(pb.Value(map_value=pb.MapValue(entries=entries)))
    assert time.thread_time() - began < 15  # a hundred times what it takes; the collisions would take a minute


def test_duplicates_are_refused() -> None:
    one = pb.Value(int_value=1)
    with pytest.raises(ValueDecodeError, match="twice"):
        decode(pb.Value(set_value=pb.ListValue(values=[one, one])))
    with pytest.raises(ValueDecodeError, match="twice"):
        decode(pb.Value(map_value=pb.MapValue(entries=[pb.MapEntry(key=one, value=one)] * 2)))
    with pytest.raises(ValueDecodeError, match="twice"):
        decode(pb.Value(string_map=pb.StringMap(keys=["a", "a"], values=[one, one])))
    with pytest.raises(ValueDecodeError, match=r"result.x: a field comes twice"):
        decode(pb.Value(record_value=pb.Record(fields=[pb.RecordField(name="x", value=one)] * 2)))


def test_an_unhashable_key_is_refused() -> None:
    key = pb.Value(list_value=pb.ListValue())
    with pytest.raises(ValueDecodeError, match="not hashable"):
        decode(pb.Value(map_value=pb.MapValue(entries=[pb.MapEntry(key=key, value=pb.Value(int_value=1))])))
    with pytest.raises(ValueDecodeError, match="not hashable"):
        decode(pb.Value(set_value=pb.ListValue(values=[key])))


def test_a_class_that_lies_about_itself_has_no_value_form() -> None:
    class Liar:
        __class__ = int  # type: ignore[assignment]  # the point

        def __reduce__(self) -> Any:
            raise AssertionError("asked how to be pickled")

        def __iter__(self) -> Any:
            raise AssertionError("iterated")

        def __len__(self) -> int:
            return 1 << 40

        def __index__(self) -> int:
            return 7

    with pytest.raises(ValueFormError, match="Liar has no Value form"):
        encode([Liar()])


def test_overridden_methods_of_a_list_are_not_asked() -> None:
    class Endless(list):  # type: ignore[type-arg]  # any
        def __iter__(self) -> Any:
            while True:
                yield 1

        def __len__(self) -> int:
            return 1 << 60

    class Hidden(dict):  # type: ignore[type-arg]  # any
        def items(self) -> Any:
            raise AssertionError("asked")

        keys = values = __iter__ = items

    assert decode(encode(Endless([1, "a"]))) == [1, "a"]
    assert decode(encode(Hidden(a=1))) == {"a": 1}


def test_a_field_that_raises_raises_its_own_error() -> None:
    @dataclass
    class Broken:
        x: int = 1

        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        encode(Broken())


def test_decoding_calls_nothing_that_a_record_names() -> None:
    message = pb.Value(record_value=pb.Record(type_name="os:system", fields=[pb.RecordField(name="command")]))
    message.record_value.fields[0].value.string_value = "false"
    assert decode(message).type_name == "os:system"
