"""cases/values.yaml is what this client writes and reads."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from callgate import Record, Tensor, records
from callgate.v1 import value_pb2 as pb
from callgate.values import decode, encode

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

from tests.conformance.golden_values import CASES, FILE, Colour, Pair, Quote, serialized  # noqa: E402  # needs yaml

TABLE: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())["cases"]
BY_NAME = {case["name"]: case for case in TABLE}


def test_the_file_has_each_case_once_and_no_other() -> None:
    assert [case["name"] for case in TABLE] == [name for name, _, _ in CASES]
    assert len(BY_NAME) == len(TABLE)


def test_every_kind_of_the_contract_has_a_case() -> None:
    kinds = {field.name for field in pb.Value.DESCRIPTOR.oneofs_by_name["kind"].fields}
    # Arrow's bytes are Arrow's own, and differ between its versions.
    assert kinds - {case["kind"] for case in TABLE} - {"arrow_value"} == {"nested_value"}
    assert "ea01" in BY_NAME["list nested 25 deep"]["value"]  # the tag of nested_value, inside


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_encoding_gives_the_golden_bytes(case: tuple[str, str, Any]) -> None:
    name, _, value = case
    assert serialized(encode(value)).hex() == BY_NAME[name]["value"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_the_golden_bytes_decode_to_the_value(case: tuple[str, str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, value = case
    monkeypatch.setattr(records, "_registered", {})
    if isinstance(value, Tensor):
        monkeypatch.setitem(sys.modules, "numpy", None)  # a Tensor stands for what numpy would make of it
    for data in (BY_NAME[name]["value"], *BY_NAME[name].get("also", ())):
        back = decode(pb.Value.FromString(bytes.fromhex(data)))
        if isinstance(value, Colour | Quote | Pair):
            assert type(back) is Record
            back = back.to(type(value))
        assert (type(back), repr(back)) == (type(value), repr(value))
