"""numpy arrays and scalars, with numpy and without."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from callgate import Tensor, ValueDecodeError, ValueFormError
from callgate.v1 import value_pb2 as pb
from callgate.values import decode, encode

np: Any = pytest.importorskip("numpy", reason="numpy is not installed")

DTYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128 "
    "datetime64[ns] datetime64[D] datetime64[25s] timedelta64[us] S5 U3"
).split()


def round_trip(value: Any) -> Any:
    return decode(pb.Value.FromString(encode(value).SerializeToString()))


def sample(dtype: str) -> Any:
    kind = np.dtype(dtype).kind
    numbers = np.arange(24)
    if kind in "SU":
        return np.array([str(n) for n in numbers], dtype).reshape(2, 3, 4)
    return (numbers - (0 if kind in "bu" else 12)).astype(dtype).reshape(2, 3, 4)


def assert_same(back: Any, value: Any) -> None:
    assert type(back) is type(value)
    assert back.dtype == value.dtype.newbyteorder("=")
    assert back.shape == value.shape
    np.testing.assert_array_equal(back, value)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_layout_comes_back(dtype: str) -> None:
    value = sample(dtype)
    read_only = value.copy()
    read_only.flags.writeable = False
    layouts = [
        value, np.asfortranarray(value), value[:, ::2], value[::-1], value.transpose(2, 0, 1), value[0, 0, 0:1],
        value[:0], value[:, :0], read_only, value.astype(value.dtype.newbyteorder(">")),
        np.array(value[0, 1, 2]).reshape(()), np.broadcast_to(value[0, 0, 0], (2, 2)),
    ]  # fmt: skip
    for layout in layouts:
        back = round_trip(layout)
        assert_same(back, layout)
        assert back.flags.writeable
        assert back.flags.c_contiguous
        assert back.flags.aligned


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_scalar_comes_back_as_the_same_scalar(dtype: str) -> None:
    for value in sample(dtype).ravel()[:3]:
        back = round_trip([value])[0]
        assert (type(back), back.dtype) == (type(value), value.dtype)
        assert back == value


def test_scalars_at_the_edges_come_back() -> None:
    values = [
        np.float64("nan"),
        np.datetime64("NaT", "ns"),
        np.datetime64("NaT", "D"),
        np.float32("-inf"),
        np.float16(-0.0),
    ]
    back = round_trip(values)
    assert list(map(repr, back)) == list(map(repr, values))
    texts = [np.str_("a\0"), np.str_(""), np.bytes_(b"\0a\0"), np.bytes_(b""), np.str_("\ud800")]
    assert [(type(a), len(a), a) for a in round_trip(texts)] == [(type(a), len(a), a) for a in texts]


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_small_floats_come_back_where_ml_dtypes_is(name: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    value = np.array([[1.5, -2.0], [0.0, 0.5]], getattr(ml_dtypes, name))
    assert_same(round_trip(value), value)
    assert_same(round_trip(value[0, 0]), value[0, 0])


def test_texts_without_width_come_back() -> None:
    value = np.ndarray((2, 2), "U0")
    assert round_trip(value).shape == (2, 2)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (np.array([object()]), "its elements are Python objects: use tolist"),
        (np.zeros(2, [("a", "i4")]), "structured"),
        (np.ma.masked_array([1, 2], [True, False]), "use numpy.asarray"),
    ],
    ids=["object", "structured", "masked"],
)
def test_what_has_no_portable_form_is_refused_with_a_hint(value: Any, hint: str) -> None:
    with pytest.raises(ValueFormError, match=rf"result\['a'\]: .*no Value form \(.*{hint}"):
        encode({"a": value})


@pytest.mark.parametrize(
    ("dtype", "shape", "data", "scalar", "problem"),
    [
        ("float64", (2,), b"\0" * 15, False, "takes 16 bytes, and has 15"),
        ("float64", (1 << 62, 1 << 62), b"", False, "takes more than 2\\*\\*64 bytes"),
        ("float64", (-1,), b"", False, "shape"),
        ("float64", (1,) * 33, b"\0" * 8, False, "at most 32 dimensions"),
        ("float64", (0, 1 << 62), b"", False, "numpy refuses"),
        ("object", (1,), b"\0" * 8, False, "unknown dtype: 'object'"),
        ("O", (1,), b"\0" * 8, False, "unknown dtype"),
        ("V8", (1,), b"\0" * 8, False, "unknown dtype"),
        ("float128", (1,), b"\0" * 16, False, "unknown dtype"),
        ("i4,i4", (1,), b"\0" * 8, False, "unknown dtype"),
        ("datetime64[xs]", (1,), b"\0" * 8, False, "unknown dtype"),
        ("U1", (1,), b"\xff\xff\xff\xff", False, "beyond Unicode"),
        ("U1", (), b"\xff\xff\xff\xff", True, "not UTF-32"),
        ("S0", (1 << 40,), b"", False, "without width"),
        ("float64", (1,), b"\0" * 8, True, "said to be a scalar and has a shape"),
    ],
)
def test_a_tensor_that_is_none_is_refused(dtype: str, shape: Any, data: bytes, scalar: bool, problem: str) -> None:
    message = pb.Value(tensor_value=pb.Tensor(dtype=dtype, shape=shape, data=data, scalar=scalar))
    with pytest.raises(ValueDecodeError, match=problem):
        decode(message)


def test_a_bool_array_holds_only_true_and_false_whatever_the_bytes_were() -> None:
    back = decode(pb.Value(tensor_value=pb.Tensor(dtype="bool", shape=[3], data=b"\0\x01\x07")))
    assert back.view("uint8").tolist() == [0, 1, 1]


def test_without_numpy_a_tensor_is_a_typed_buffer_that_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [
        encode(value) for value in (np.arange(6, dtype="int32").reshape(2, 3), np.float32(1.5), np.zeros((2, 0)))
    ]
    monkeypatch.setitem(sys.modules, "numpy", None)
    matrix, scalar, empty = map(decode, messages)
    assert matrix == Tensor("int32", (2, 3), b"".join(n.to_bytes(4, "little") for n in range(6)))
    assert matrix.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (scalar.scalar, scalar.tolist(), empty.tolist()) == (True, 1.5, [[], []])
    assert [encode(back) for back in (matrix, scalar, empty)] == messages
    with pytest.raises(TypeError, match="need numpy"):
        Tensor("complex64", (), b"\0" * 8).tolist()


@pytest.mark.parametrize("dtype", ["float64", "longdouble[x87]", "longdouble[binary128]"])
def test_a_few_bytes_do_not_become_lists_without_end(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    back = decode(pb.Value(tensor_value=pb.Tensor(dtype=dtype, shape=[1 << 40, 85, 0])))
    with pytest.raises(ValueError, match="too many lists"):
        back.tolist()
    assert Tensor(dtype, (2, 0, 1 << 40), b"").tolist() == [[], []]


def test_without_ml_dtypes_a_bfloat16_is_a_typed_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    message = pb.Value(tensor_value=pb.Tensor(dtype="bfloat16", shape=[2], data=b"\x80\x3f\0\0"))
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    assert decode(message) == Tensor("bfloat16", (2,), b"\x80\x3f\0\0")


@pytest.mark.slow
def test_plain_values_load_neither_numpy_nor_other_libraries() -> None:
    code = (
        "import sys; from callgate.values import encode, decode; decode(encode([1, 'a', {2: 3.0}]));"
        "names = {'numpy', 'pyarrow', 'pandas', 'polars', 'pydantic', 'attr', 'ml_dtypes', 'grpc'};"
        "print(sorted(names & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_any_array_comes_back() -> None:
    hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")
    from hypothesis.extra import numpy as hnp

    kinds = hypothesis.strategies.one_of(
        hnp.boolean_dtypes(),
        hnp.integer_dtypes(endianness="?"),
        hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
        hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
        hnp.byte_string_dtypes(),
        hnp.unicode_string_dtypes(),
        hnp.datetime64_dtypes(),
        hnp.timedelta64_dtypes(),
    )

    @hypothesis.settings(max_examples=150, deadline=None)
    @hypothesis.given(hnp.arrays(kinds, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
    def check(value: Any) -> None:
        assert_same(round_trip(value), value)

    check()
