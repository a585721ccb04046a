"""numpy's long doubles: this machine's format, other machines', and bit patterns that are none."""

from __future__ import annotations

import struct
import sys
import warnings
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate import Tensor, ValueDecodeError, ValueFormError, longdoubles
from callgate.convert import converter
from callgate.v1 import value_pb2 as pb
from callgate.values import Limits, decode, encode

np: Any = pytest.importorskip("numpy", reason="numpy is not installed")

X87, BINARY128, PAIR = "longdouble[x87]", "longdouble[binary128]", "longdouble[double-double]"
OWN: str | None = longdoubles.wire_name(np, np.dtype(np.longdouble))
needs_own = pytest.mark.skipif(OWN not in longdoubles.SIZES, reason="a long double is a float64 here")
needs_x87 = pytest.mark.skipif(OWN != X87, reason="a long double is no x87 number here")

#: A format that is not this machine's.
FOREIGN = PAIR if OWN == BINARY128 else BINARY128


def x87(significand: int, exponent: int, sign: int = 0) -> bytes:
    return struct.pack("<QH", significand, sign << 15 | exponent)


def binary128(fraction: int, exponent: int, sign: int = 0) -> bytes:
    return (sign << 127 | exponent << 112 | fraction).to_bytes(16, "little")


THIRD = x87(0xAAAAAAAAAAAAAAAB, 0x3FFD)

#: What contradicts itself, by the name that Intel's manuals have for it.
INVALID = {
    "pseudo-denormal": x87(1 << 63, 0),
    "unnormal": x87(1 << 62, 0x3FFF),
    "unnormal zero": x87(0, 0x3FFF),
    "unnormal beyond the largest": x87((1 << 63) - 1, 0x7FFE),
    "pseudo-infinity": x87(0, 0x7FFF),
    "pseudo-NaN": x87(1 << 62, 0x7FFF, 1),
}


def message_of(dtype: str, shape: Any, data: bytes, scalar: bool = False) -> pb.Value:
    return pb.Value(tensor_value=pb.Tensor(dtype=dtype, shape=shape, data=data, scalar=scalar))


def round_trip(value: Any) -> Any:
    return decode(pb.Value.FromString(encode(value).SerializeToString()))


def significant(value: Any) -> bytes:
    """The bytes that make the numbers of an array of this machine's, and not its padding."""
    raw = np.ascontiguousarray(value).reshape(-1).view("u1").reshape(-1, np.dtype(np.longdouble).itemsize)
    assert OWN is not None
    return bytes(raw[:, : longdoubles.SIZES[OWN]].tobytes())


def numbers(dtype: str) -> Any:
    made = np.arange(1, 25).astype(dtype).reshape(2, 3, 4) / np.longdouble(7)  # more bits than a float64 holds
    return made * (1 - 3j) if dtype == "clongdouble" else made


# ------------------------------------------------------------------------------------------------ this machine's format


@needs_own
@pytest.mark.parametrize("dtype", ["longdouble", "clongdouble"])
def test_every_layout_comes_back_bit_by_bit(dtype: str) -> None:
    value = numbers(dtype)
    assert np.any(value != value.astype("complex128"))
    read_only = value.copy()
    read_only.flags.writeable = False
    layouts = [
        value, np.asfortranarray(value), value[:, ::2], value[::-1], value.transpose(2, 0, 1), value[0, 0, 0:1],
        value[:0], value[:, :0], read_only, value.astype(value.dtype.newbyteorder(">")),
        value.astype(value.dtype.newbyteorder(">"))[:, ::-2], np.array(value[0, 1, 2]).reshape(()),
        np.broadcast_to(value[0, 0, 0], (2, 2)),
    ]  # fmt: skip
    for layout in layouts:
        back = round_trip(layout)
        assert type(back) is np.ndarray
        assert back.dtype == np.dtype(dtype)
        assert back.shape == layout.shape
        assert significant(back) == significant(layout.astype(dtype))
        assert back.flags.writeable
        assert back.flags.c_contiguous
        assert back.flags.aligned


@needs_own
def test_scalars_stay_scalars() -> None:
    for value in (np.longdouble(1) / 3, np.longdouble("-0.0"), np.clongdouble(1) / 3 - 2j, np.longdouble("inf")):
        back = round_trip([value])[0]
        assert type(back) is type(value)
        assert significant(back) == significant(value)


@needs_own
def test_a_subclass_of_a_scalar_type_is_its_authors_own() -> None:
    class Metres(np.longdouble):  # type: ignore[misc]  # numpy is Any here
        pass

    with pytest.raises(ValueFormError, match="Metres has no Value form"):
        encode(Metres(1))


@needs_own
def test_any_bits_of_a_number_come_back() -> None:
    assert OWN is not None
    valid = {
        X87: st.builds(
            lambda fraction, exponent, sign: x87(fraction | (1 << 63 if exponent else 0), exponent, sign),
            st.integers(0, (1 << 63) - 1),
            st.integers(0, 0x7FFF),
            st.integers(0, 1),
        ),
        BINARY128: st.binary(min_size=16, max_size=16),
        PAIR: st.binary(min_size=16, max_size=16),
    }[OWN]

    @settings(deadline=None)
    @given(st.lists(valid, max_size=8), st.sampled_from("<>"), st.booleans())
    def check(elements: list[bytes], order: str, by_twos: bool) -> None:
        if by_twos:
            elements *= 2
        name = "c" + OWN if by_twos else OWN
        data = b"".join(elements)
        shape = (len(elements) // 2 if by_twos else len(elements),)
        array = decode(message_of(name, shape, data))
        assert array.shape == shape
        assert significant(array) == data
        sent = encode(array.astype(array.dtype.newbyteorder(order)))
        assert (sent.tensor_value.dtype, sent.tensor_value.data) == (name, data)
        for one in array:
            scalar = encode(one)
            assert scalar.tensor_value.scalar
            assert scalar.tensor_value.data == significant(one)
            assert significant(decode(scalar)) == significant(one)

    check()


@needs_x87
def test_padding_does_not_travel_and_arrives_as_zeros() -> None:
    size = np.dtype(np.longdouble).itemsize
    dirty = np.frombuffer((THIRD + b"\xa5" * (size - 10)) * 4, np.longdouble)
    clean = encode(np.full(4, np.longdouble(1) / 3))
    assert encode(dirty) == clean
    assert clean.tensor_value.data == THIRD * 4
    pairs = dirty.view(np.clongdouble)
    assert encode(pairs).tensor_value.data == THIRD * 4
    assert encode(pairs[0]).tensor_value.data == THIRD * 2
    assert encode(dirty[0]).tensor_value.data == THIRD
    assert encode(dirty[::2]).tensor_value.data == THIRD * 2
    back = decode(clean).view("u1").reshape(4, size)
    assert not back[:, 10:].any()


@needs_own
def test_hints_take_them_as_they_take_other_arrays() -> None:
    from numpy.typing import NDArray

    array, scalar = decode(encode(numbers("longdouble"))), decode(encode(np.longdouble(1) / 3))
    for hint in (np.ndarray, NDArray[np.longdouble]):
        convert = converter(hint)
        assert convert is not None
        assert convert(array) is array
    for hint in (np.longdouble, np.floating, float, float | None):
        convert = converter(hint)
        assert convert is not None
        assert convert(scalar) is scalar


@needs_own
def test_the_limit_counts_what_travels() -> None:
    assert OWN is not None
    array = np.zeros(1000, np.longdouble)
    size = 1000 * longdoubles.SIZES[OWN]
    assert len(encode(array, limits=Limits(bytes=size)).tensor_value.data) == size
    with pytest.raises(ValueFormError):
        encode(array, limits=Limits(bytes=size - 1))


# ------------------------------------------------------------------------------------------------------- other machines


@pytest.mark.parametrize("name", [name for name in longdoubles.SIZES if name.removeprefix("c") != OWN])
@pytest.mark.parametrize(("shape", "scalar"), [((2, 3), False), ((), False), ((), True), ((0, 3), False)])
def test_another_machines_arrive_as_a_tensor_that_goes_again(name: str, shape: Any, scalar: bool) -> None:
    data = bytes(range(1, longdoubles.SIZES[name] + 1)) * int(np.prod(shape))
    if "x87" in name:
        data = THIRD * (len(data) // 10)
    message = message_of(name, shape, data, scalar)
    back = decode(message)
    assert back == Tensor(name, shape, data, scalar)
    assert encode(back) == message


@pytest.mark.parametrize("own", [X87, BINARY128, PAIR, "float64", None])
def test_a_machines_format_is_told_by_its_bytes(own: str | None) -> None:
    data = {
        X87: x87(0x8000000000000008, 0xBFFF) + b"\xa5" * 6,
        BINARY128: binary128(1 << 52, 0x3FFF, 1),
        PAIR: struct.pack("<dd", -1.0, -(2.0**-60)),
        "float64": struct.pack("<d", -1.0),
        None: struct.pack("<dd", -(2.0**-60), -1.0),  # a pair the other way round
    }[own]
    names = longdoubles.names_of(data)
    assert names == (None if own is None else (own, {"float64": "complex128"}.get(own, "c" + own)))
    if own == X87:
        assert longdoubles.names_of(data[:12]) == names  # 32-bit x86


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize != 16, reason="plays a format of 16 bytes")
def test_a_machine_whose_format_has_no_padding_sends_its_bytes_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    # As a binary128 machine would: the bits mean something else here, and nothing computes with them.
    monkeypatch.setattr(longdoubles, "_own_names", lambda numpy: (BINARY128, "c" + BINARY128))
    data = bytes(range(32))
    for name in (BINARY128, "c" + BINARY128):
        message = message_of(name, (32 // longdoubles.SIZES[name],), data)
        back = decode(message)
        assert type(back) is np.ndarray
        assert back.flags.writeable
        assert back.tobytes() == data
        assert encode(back) == message
        assert encode(back.astype(back.dtype.newbyteorder(">"))) == message
    assert decode(message_of(X87, (1,), THIRD)) == Tensor(X87, (1,), THIRD)


def test_a_long_double_that_is_a_float64_travels_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(longdoubles, "_own_names", lambda numpy: ("float64", "complex128"))
    assert longdoubles.wire_name(np, np.dtype(np.longdouble)) == "float64"
    assert longdoubles.wire_name(np, np.dtype(np.clongdouble)) == "complex128"
    assert decode(message_of(X87, (), THIRD, True)) == Tensor(X87, (), THIRD, True)


@needs_own
def test_a_format_that_is_not_known_is_refused_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(longdoubles, "_own_names", lambda numpy: None)
    for value in (np.longdouble(1), np.zeros(2, np.clongdouble)):
        with pytest.raises(ValueFormError, match=r"result\['a'\]: .*no Value form \(its format is none that is known"):
            encode({"a": value})
    assert decode(message_of(X87, (1,), THIRD)) == Tensor(X87, (1,), THIRD)


def test_without_numpy_this_machines_own_is_a_tensor_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    message = message_of(X87, (1, 1), THIRD)
    assert decode(message) == Tensor(X87, (1, 1), THIRD)
    assert encode(decode(message)) == message


@pytest.mark.skipif(FOREIGN != BINARY128, reason="binary128 is this machine's own")
def test_a_hint_of_ndarray_says_that_it_got_a_tensor() -> None:
    from callgate.convert import Mismatch

    foreign = decode(message_of(BINARY128, (1,), binary128(0, 0x3FFF)))
    for hint, wanted in ((np.ndarray, r"numpy\.ndarray"), (np.longdouble, r"numpy\.longdouble"), (float, "a float")):
        convert = converter(hint)
        assert convert is not None
        with pytest.raises(Mismatch, match=f"Tensor.*{wanted} is wanted"):
            convert(foreign)
    convert = converter(np.ndarray | Tensor)
    assert convert is not None
    assert convert(foreign) is foreign


# ------------------------------------------------------------------------------------------------------- exact numbers


@pytest.mark.parametrize(
    ("dtype", "data", "number"),
    [
        (X87, x87(1 << 63, 0x3FFF), "1"),
        (X87, x87(0xC << 60, 0x4000, 1), "-3"),
        (X87, x87(0, 0), "0"),
        (X87, x87(0, 0, 1), "-0"),
        (X87, x87(1 << 63, 0x7FFF), "Infinity"),
        (X87, x87(1 << 63, 0x7FFF, 1), "-Infinity"),
        (X87, x87(0xC << 60, 0x7FFF), "NaN"),
        (X87, x87(1 << 63 | 1, 0x7FFF, 1), "NaN"),
        (X87, THIRD, "0.33333333333333333334236835143737920361672877334058284759521484375"),
        (BINARY128, binary128(0, 0x3FFF), "1"),
        (BINARY128, binary128(0, 0, 1), "-0"),
        (BINARY128, binary128(0, 0x7FFF, 1), "-Infinity"),
        (BINARY128, binary128(1, 0x7FFF), "NaN"),
        (BINARY128, binary128(1 << 111, 0x3FFF), "1.5"),
        (PAIR, struct.pack("<dd", 1.0, 2.0**-60), "1.000000000000000000867361737988403547205962240695953369140625"),
        (PAIR, struct.pack("<dd", -0.0, 0.0), "-0"),
        (PAIR, struct.pack("<dd", float("-inf"), 0.0), "-Infinity"),
        (PAIR, struct.pack("<dd", float("nan"), 1.0), "NaN"),
    ],
)
def test_tolist_gives_exact_decimals(dtype: str, data: bytes, number: str) -> None:
    made = Tensor(dtype, (), data, True).tolist()
    assert type(made) is Decimal
    assert str(made) == number


@pytest.mark.slow
@settings(deadline=None)
@given(st.integers(0, (1 << 112) - 1), st.integers(0, 0x7FFE), st.integers(0, 1))
def test_every_number_is_exact(fraction: int, exponent: int, sign: int) -> None:
    def exact(significand: int, point: int) -> Fraction:
        return (-1) ** sign * significand * Fraction(2) ** (max(exponent, 1) - 16383 - point)

    normal = 1 if exponent else 0
    (made,) = Tensor(BINARY128, (1,), binary128(fraction, exponent, sign)).tolist()
    assert Fraction(made) == exact(fraction | normal << 112, 112)
    fraction >>= 49
    (made,) = Tensor(X87, (1,), x87(fraction | normal << 63, exponent, sign)).tolist()
    assert Fraction(made) == exact(fraction | normal << 63, 63)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_every_pair_is_exact(high: float, low: float) -> None:
    (made,) = Tensor(PAIR, (1,), struct.pack("<dd", high, low)).tolist()
    assert Fraction(made) == Fraction(high) + Fraction(low)


@needs_x87
def test_decimals_are_what_numpy_has() -> None:
    values = numbers("longdouble")
    tensor = encode(values).tensor_value
    made = Tensor(tensor.dtype, tuple(tensor.shape), tensor.data).tolist()
    assert np.array(made).shape == values.shape
    flat = [Fraction(number) for plane in made for row in plane for number in row]
    assert flat == [Fraction(*number.as_integer_ratio()) for number in values.ravel()]


def test_tolist_nests_and_refuses_as_its_dtype_wants() -> None:
    one = x87(1 << 63, 0x3FFF)
    assert Tensor(X87, (2, 1, 2), one * 4).tolist() == [[[1, 1]], [[1, 1]]]
    assert Tensor(X87, (2, 0), b"").tolist() == [[], []]
    assert Tensor(X87, (), one).tolist() == 1
    with pytest.raises(TypeError, match=r"read their parts as Tensor\('longdouble\[x87\]', \(\*shape, 2\), data\)"):
        Tensor("clongdouble[x87]", (1,), one * 2).tolist()
    assert Tensor(X87, (1, 2), one * 2).tolist() == [[1, 1]]
    with pytest.raises(TypeError, match=r"dtype longdouble\[z80\] are no Python numbers$"):
        Tensor("longdouble[z80]", (1,), one).tolist()
    with pytest.raises(TypeError, match="20 bytes are no elements"):
        Tensor(X87, (3,), one * 2).tolist()
    with pytest.raises(ValueError, match="element 1 is no number"):
        Tensor(X87, (2,), one + INVALID["unnormal"]).tolist()


# -------------------------------------------------------------------------------------------------------- hostile input


@pytest.mark.parametrize("invalid", INVALID.values(), ids=list(INVALID))
def test_bits_that_are_no_number_are_refused(invalid: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = [
        (message_of(X87, (3,), THIRD * 2 + invalid), "element 2"),
        (message_of(X87, (), invalid, True), "element 0"),
        (message_of("c" + X87, (2,), THIRD * 3 + invalid), "element 1"),
    ]
    for message, which in refused:
        with pytest.raises(ValueDecodeError, match=rf"longdouble\[x87\] is refused: {which} is no number"):
            decode(message)
    monkeypatch.setitem(sys.modules, "numpy", None)
    for message, which in refused:
        with pytest.raises(ValueDecodeError, match=rf"longdouble\[x87\] is refused: {which} is no number"):
            decode(message)


@needs_x87
@pytest.mark.parametrize("invalid", INVALID.values(), ids=list(INVALID))
def test_memory_that_is_no_number_is_refused_before_it_leaves(invalid: bytes) -> None:
    size = np.dtype(np.longdouble).itemsize
    array = np.frombuffer((THIRD.ljust(size, b"\0") + invalid.ljust(size, b"\0")), np.longdouble)
    for value in (array, array[1], array.view(np.clongdouble)):
        with pytest.raises(ValueFormError, match=r"result\[0\]: .*leading bit contradicts its exponent"):
            encode([value])


@needs_x87
@pytest.mark.parametrize(
    "odd",
    [x87(1, 0), x87((1 << 63) - 1, 0, 1), x87(1 << 63 | 1, 0x7FFF), x87((1 << 64) - 1, 0x7FFE)],
    ids=["smallest", "largest denormal", "signalling NaN", "largest"],
)
def test_numbers_at_the_edges_can_be_shown_and_computed_with(odd: bytes) -> None:
    array = decode(message_of(X87, (2,), odd * 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # overflow and NaN are what is asked for
        for text in (repr(array), str(array[0]), f"{array[0]:.3e}", repr(array * 2.5), repr(np.sqrt(array))):
            assert text
    assert encode(array).tensor_value.data == odd * 2


@pytest.mark.parametrize("name", longdoubles.SIZES)
@pytest.mark.parametrize("off", [-1, 1])
def test_data_of_another_length_is_refused(name: str, off: int) -> None:
    size = longdoubles.SIZES[name]
    with pytest.raises(ValueDecodeError, match=f"takes {2 * size} bytes, and has {2 * size + off}"):
        decode(message_of(name, (2,), b"\0" * (2 * size + off)))
    with pytest.raises(ValueDecodeError, match=f"takes {size} bytes, and has {size + off}"):
        decode(message_of(name, (), b"\0" * (size + off), True))


@needs_own
def test_a_shape_that_numpy_has_not_is_refused() -> None:
    assert OWN is not None
    with pytest.raises(ValueDecodeError, match="numpy refuses"):
        decode(message_of(OWN, (0, 1 << 62), b""))


@pytest.mark.parametrize(
    "name",
    [
        "float128",
        "float96",
        "float80",
        "complex256",
        "longdouble",
        "g",
        "longdouble[]",
        "longdouble[x87",
        "longdouble[X87]",
    ],
)
def test_a_name_that_leaves_the_format_open_is_refused(name: str) -> None:
    with pytest.raises(ValueDecodeError, match="unknown dtype"):
        decode(message_of(name, (1,), b"\0" * 16))
