"""numpy's long doubles, by the format that a machine has for them: its name on the wire, its bytes, its exact numbers.

    dtype on the wire            an element's bytes, little-endian
    longdouble[x87]              10: 64 bits of significand, the leading one written out, then exponent and sign (x86;
                                 what memory pads it with, to 12 or 16 bytes, does not travel)
    longdouble[binary128]        16: IEEE 754's (64-bit ARM but for Apple's, RISC-V, s390x)
    longdouble[double-double]    16: two float64, the greater first, whose sum it is (POWER)
    clongdouble[…]               two of these, the real part first
    float64, complex128          where a long double is no more than that (Windows, Apple's ARM)

Pure Python and free of protobuf and grpc, like `callgate.buffers`; what needs numpy is handed it. See
docs/adr/0009-long-doubles.md.
"""

from __future__ import annotations

import struct
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import cache
from typing import Any

__all__ = ["SIZES", "array", "check", "decimals", "names_of", "wire_bytes", "wire_name"]

#: Bytes of an element on the wire, by dtype.
SIZES = {
    "longdouble[x87]": 10, "longdouble[binary128]": 16, "longdouble[double-double]": 16,
    "clongdouble[x87]": 20, "clongdouble[binary128]": 32, "clongdouble[double-double]": 32,
}  # fmt: skip

_X87 = 10
_X87_NAMES = ("longdouble[x87]", "clongdouble[x87]")

#: What -1 - 2**-60 is in each format: beyond float64's 53 bits, within everyone else's, and no byte in a wrong place
#: goes unseen. Bytes, and not numpy.finfo: that knows neither the order of a pair nor where the padding is.
_PROBES = {
    ("longdouble[x87]", "clongdouble[x87]"): struct.pack("<QH", 1 << 63 | 1 << 3, 0xBFFF),
    ("longdouble[binary128]", "clongdouble[binary128]"): (0xBFFF << 112 | 1 << 52).to_bytes(16, "little"),
    ("longdouble[double-double]", "clongdouble[double-double]"): struct.pack("<dd", -1.0, -(2.0**-60)),
    ("float64", "complex128"): struct.pack("<d", -1.0),
}


@cache
def _own_names(numpy: Any) -> tuple[str, str] | None:
    """The real and the complex name of this machine's format; None if it is none of the table."""
    return names_of(_little(numpy, numpy.longdouble(-1) - numpy.longdouble(2.0**-60)).tobytes())


def names_of(probe: bytes) -> tuple[str, str] | None:
    """The real and the complex name of a format.

    Args:
        probe: what -1 - 2**-60 is in it, little-endian, padded as in memory.

    Returns:
        The names; None if it is none of the table.
    """
    for names, expected in _PROBES.items():
        if probe == expected or (names == _X87_NAMES and len(probe) in (12, 16) and probe.startswith(expected)):
            return names
    return None


def _little(numpy: Any, value: Any) -> Any:
    """As a C-contiguous array of at least one dimension, little-endian; long doubles are moved bit by bit."""
    return numpy.ascontiguousarray(value, value.dtype.newbyteorder("<"))


def wire_name(numpy: Any, dtype: Any) -> str | None:
    """The name that elements of a dtype travel under.

    Args:
        numpy: the module.
        dtype: one of its dtypes.

    Returns:
        The name, which is "float64" or "complex128" where a long double is one; None if the dtype is no long double, or
        this machine's format is not known.
    """
    if dtype.type not in (numpy.longdouble, numpy.clongdouble):
        return None
    names = _own_names(numpy)
    return None if names is None else names[dtype.type is numpy.clongdouble]


def wire_bytes(numpy: Any, name: str, value: Any) -> bytes:
    """The bytes that an array or scalar travels as.

    Args:
        numpy: the module.
        name: its dtype's, as `wire_name` says.
        value: of any layout and byte order.

    Returns:
        Its elements in C order, little-endian, without padding: that is whatever memory held before.

    Raises:
        ValueError: as `check`.
    """
    size = SIZES[name] // 2 if name[0] == "c" else SIZES[name]
    little = _little(numpy, value).reshape(-1).view("u1").reshape(-1, numpy.dtype(numpy.longdouble).itemsize)
    data: bytes = little[:, :size].tobytes()
    check(name, data)
    return data


def array(numpy: Any, name: str, shape: tuple[int, ...], data: bytes) -> Any:
    """The array that came over the wire.

    Args:
        numpy: the module.
        name: of `SIZES`.
        shape: the size of each dimension.
        data: as many elements.

    Returns:
        An array in this machine's byte order, whose padding is zeros; None where this machine has another format.

    Raises:
        ValueError: if numpy has no such shape.
    """
    names = _own_names(numpy)
    if names is None or name not in names:
        return None
    native = numpy.dtype(numpy.longdouble if name == names[0] else numpy.clongdouble)
    made = numpy.zeros(shape, native.newbyteorder("<"))
    if data:
        size = SIZES[names[0]]
        numbers = made.reshape(-1).view("u1").reshape(-1, numpy.dtype(numpy.longdouble).itemsize)
        numbers[:, :size] = numpy.frombuffer(data, "u1").reshape(-1, size)
    return made.astype(native, copy=False)


_LEADING = bytes(byte >> 7 for byte in range(256))
_SOME = bytes(byte > 0 for byte in range(256))
_SOME_BELOW_SIGN = bytes(byte & 0x7F > 0 for byte in range(256))


def check(name: str, data: bytes) -> None:
    """Refuse the bit patterns that are no x87 numbers.

    The format writes the leading bit of the significand out, and so has patterns in which it contradicts the exponent:
    pseudo-denormals, unnormals, pseudo-infinities, pseudo-NaNs. No operation makes them, processors since the 80387
    refuse all but the first, libraries disagree about them (numpy shows one as 1.5 and computes with it as NaN; the
    printf of glibc before 2.23 wrote beyond its buffer, CVE-2020-29573), and they are not what anybody meant to send.

    Args:
        name: of `SIZES`; only x87's have such patterns.
        data: the elements, as on the wire.

    Raises:
        ValueError: if there is one; it says which.
    """
    if name not in _X87_NAMES:
        return
    # One byte a number, 1 or 0, made by C loops over all of them: without numpy, since a receiver may have none.
    leading = int.from_bytes(data[7::_X87].translate(_LEADING), "little")
    low = int.from_bytes(data[8::_X87].translate(_SOME), "little")
    high = int.from_bytes(data[9::_X87].translate(_SOME_BELOW_SIGN), "little")
    wrong = leading ^ (low | high)
    if wrong:
        index = ((wrong & -wrong).bit_length() - 1) // 8 * _X87 // SIZES[name]
        raise ValueError(f"element {index} is no number of this format: its leading bit contradicts its exponent")


#: Rounds nothing and raises nothing.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def decimals(name: str, data: bytes) -> list[Decimal]:
    """The numbers of a real format, exactly.

    Args:
        name: of `SIZES`, a "longdouble[…]".
        data: the elements, as on the wire.

    Returns:
        A Decimal each, with all its digits (2**-60 has 42, the smallest numbers of x87 and binary128 have 11,500);
        infinities, NaN (without its payload) and the sign of zero included.

    Raises:
        ValueError: as `check`.
    """
    check(name, data)
    if name == "longdouble[double-double]":
        return [_sum(high, low) for high, low in struct.iter_unpack("<dd", data)]
    read = _x87 if name == "longdouble[x87]" else _binary128
    size = SIZES[name]
    return [read(int.from_bytes(data[at : at + size], "little")) for at in range(0, len(data), size)]


def _x87(bits: int) -> Decimal:
    return _number(bits >> 79, bits >> 64 & 0x7FFF, bits & (1 << 64) - 1, 63)


def _binary128(bits: int) -> Decimal:
    exponent = bits >> 112 & 0x7FFF
    fraction = bits & (1 << 112) - 1
    return _number(bits >> 127, exponent, fraction | (1 << 112 if exponent else 0), 112)


def _number(sign: int, exponent: int, significand: int, point: int) -> Decimal:
    """From the parts of a format with 15 bits of exponent.

    Args:
        sign: 1 for negative numbers.
        exponent: as it is written.
        significand: with its leading bit.
        point: how many of its bits are behind the point.
    """
    if exponent == 0x7FFF:
        made = Decimal("NaN" if significand & (1 << point) - 1 else "Infinity")
        return made.copy_negate() if sign and made.is_infinite() else made
    power = max(exponent, 1) - 16383 - point
    spare = min(max(-power, 0), max((significand & -significand).bit_length() - 1, 0))  # 1 is "1", not "1.000…"
    significand >>= spare
    power += spare
    if power >= 0 or not significand:
        made = Decimal(significand << max(power, 0))
    else:
        made = Decimal(significand * 5**-power).scaleb(power, _EXACT)
    return made.copy_negate() if sign else made


def _sum(high: float, low: float) -> Decimal:
    # What is not finite says so in its greater part; and -0.0 + 0.0 would lose the sign.
    return Decimal(high) if not low or high - high else _EXACT.add(Decimal(high), Decimal(low))
