"""numpy arrays and scalars ↔ Tensor.

Needs no numpy: an encoder gets here only with a value whose type numpy made; a decoder imports numpy if it is there,
and else makes a `callgate.Tensor`. Arrays come back C-contiguous, in this machine's byte order and writable, whatever
their layout was: layout is not part of a value.

Copies beyond protobuf's own: one on encoding (the bytes that protobuf wants), none on decoding, save for bools and the
long doubles of x86, which travel without their padding.
"""

from __future__ import annotations

import math
import re
import sys
from typing import Any

from callgate import longdoubles
from callgate.buffers import Tensor
from callgate.errors import ValueDecodeError, ValueFormError
from callgate.v1 import value_pb2 as pb
from callgate.values.large import LARGE, Piece
from callgate.values.limits import Budget

__all__ = ["DECODERS", "encode_tensor", "encoder_for"]

#: Element types that travel under numpy's name for them, which for long doubles does not say what they are.
_NAMES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()
)
#: Element types of ml_dtypes. A name is looked up in that module only if it is one of these.
_ML_NAMES = frozenset(
    "bfloat16 float8_e3m4 float8_e4m3 float8_e4m3b11fnuz float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz "
    "float8_e8m0fnu".split()
)
_UNITS = r"(?:\[(?:[1-9]\d{0,8})?(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?"
_TIMES = re.compile(rf"(?:datetime64|timedelta64){_UNITS}", re.ASCII)
_FIXED = re.compile(r"[SU](?:0|[1-9]\d{0,8})", re.ASCII)


def encoder_for(kind: type) -> Any:
    """The encoder for a numpy type.

    Args:
        kind: a type; told by its ancestry whether it is numpy's.

    Returns:
        An encoder; None if the type is not numpy's, or one without a Value form.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    mro = type.__getattribute__(kind, "__mro__")
    if kind is numpy.ndarray or numpy.memmap in mro:
        return _encode_array
    # Exact scalar types: a subclass (numpy.float64's, say) is its author's own.
    if numpy.generic in mro and numpy.dtype(kind).type is kind and kind.__module__ in ("numpy", "ml_dtypes"):
        return _encode_scalar
    return None


#: Names of dtypes by their scalar types, once found: `dtype.name` is Python code, and took half of a small array's
#: time.
_found: dict[type, str] = {}


def _dtype_name(dtype: Any) -> str | None:
    """The name that a dtype travels under; None for long doubles, which `longdoubles` encodes.

    Raises:
        ValueFormError: if it has no Value form.
    """
    found = _found.get(dtype.type)
    if found is not None:
        return found
    kind = dtype.kind
    if kind == "S":
        return f"S{dtype.itemsize}"
    if kind == "U":
        return f"U{dtype.itemsize // 4}"
    name = str(dtype.name)
    if kind in "mM":
        return name
    if name in _NAMES or (name in _ML_NAMES and dtype.type.__module__ == "ml_dtypes"):
        _found[dtype.type] = name
        return name
    long_double = longdoubles.wire_name(sys.modules["numpy"], dtype)
    if long_double is not None:
        return None if long_double in longdoubles.SIZES else long_double
    raise ValueFormError(f"an array of dtype {dtype} has no Value form ({_hint(dtype)})")


def _hint(dtype: Any) -> str:
    if dtype.kind == "O":
        return "its elements are Python objects: use tolist()"
    if dtype.names:
        return "it is structured: use one array for each field"
    if dtype.kind in "fc":
        return "its format is none that is known: use float64 or complex128"
    return "use a dtype of fixed width"


def _encode_array(value: Any, target: pb.Value, budget: Budget, depth: int) -> None:
    dtype = value.dtype
    name = _dtype_name(dtype)
    if name is None:
        _encode_long_doubles(value, target.tensor_value, budget)
        return
    budget.spend(value.nbytes)
    made = target.tensor_value
    made.dtype = name
    made.shape.extend(value.shape)
    if (dtype.byteorder == ">") or (dtype.byteorder == "=" and sys.byteorder == "big"):
        value = value.byteswap()
    if value.nbytes >= LARGE and budget.hole is not None and depth == 0:
        numpy = sys.modules["numpy"]
        # As bytes: some types of elements (dates) have no buffer of their own.
        budget.hole.append(numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8).data)
        return
    made.data = value.tobytes("C")


def _encode_scalar(value: Any, target: pb.Value, budget: Budget, depth: int) -> None:
    made = target.tensor_value
    made.scalar = True
    if isinstance(value, str):  # numpy.str_: by its characters, because the array of it would lose trailing NULs
        budget.spend(len(value) * 4)
        made.dtype = f"U{len(value)}"
        made.data = str.encode(value, "utf-32-le", "surrogatepass")  # str(value) would lose them, too
        return
    if isinstance(value, bytes):
        budget.spend(len(value))
        made.dtype = f"S{len(value)}"
        made.data = bytes.__getitem__(value, slice(None))
        return
    dtype = value.dtype
    name = _dtype_name(dtype)
    if name is None:
        _encode_long_doubles(value, made, budget)
        return
    made.dtype = name
    data = value.tobytes()
    if sys.byteorder == "big":
        data = dtype.type(value).byteswap().tobytes()
    made.data = data


def _encode_long_doubles(value: Any, target: pb.Tensor, budget: Budget) -> None:
    numpy = sys.modules["numpy"]
    name = str(longdoubles.wire_name(numpy, value.dtype))
    budget.spend(value.size * longdoubles.SIZES[name])
    target.dtype = name
    target.shape.extend(value.shape)
    try:
        target.data = longdoubles.wire_bytes(numpy, name, value)
    except ValueError as error:
        raise ValueFormError(f"a {name} has no Value form: {error} (is it memory that nothing was put into?)") from None


def encode_tensor(value: Tensor, target: pb.Value, budget: Budget, depth: int) -> None:
    """Encode what an array arrived as without numpy."""
    budget.spend(len(value.data))
    made = target.tensor_value
    made.SetInParent()
    made.dtype = value.dtype
    made.shape.extend(value.shape)
    made.data = value.data
    made.scalar = value.scalar


def _decode_tensor(value: pb.Value, budget: Budget, depth: int) -> Any:
    message = value.tensor_value
    name = message.dtype
    shape = tuple(message.shape)
    size = _SIZES.get(name) or _element_size(name)
    if len(shape) > 32 or (shape and min(shape) < 0):  # 32 dimensions are numpy 1's limit
        raise ValueDecodeError(
            f"a tensor has the shape {str(shape)[:80]}; at most 32 dimensions of 0 or more are right"
        )
    if message.scalar and shape:
        raise ValueDecodeError("a tensor is said to be a scalar and has a shape")
    data: Any = message.data
    whole: Any = None
    if type(data) is Piece:
        whole, data = data, data.view()
    count = math.prod(shape)
    if count * size != len(data):
        raise ValueDecodeError(
            f"a tensor of shape {str(shape)[:80]} and dtype {name} "
            f"takes {_short(count * size)} bytes, and has {len(data)}"
        )
    if size == 0 and count > budget.elements:  # no bytes stand for the elements: only this bounds them
        raise ValueDecodeError("a tensor of elements without width has too many of them", limit=budget.limits.elements)
    if name in longdoubles.SIZES:
        return _decode_long_doubles(name, shape, bytes(data), message.scalar)
    try:
        import numpy
    except ImportError:
        return Tensor(name, shape, bytes(data), message.scalar)
    dtype = _numpy_dtype(numpy, name)
    if dtype is None:
        return Tensor(name, shape, bytes(data), message.scalar)
    if message.scalar:
        return _scalar(numpy, name, dtype, bytes(data))
    try:
        if not data:
            return numpy.ndarray(shape, dtype)
        read_as = _safe(numpy, dtype, data)
        if read_as == dtype:
            # As numpy's own unpickling does: the array takes the bytes over, without a copy, and is writable. Nobody
            # else has them: protobuf made them for this one access, or they are a large message's, which is read once.
            made: Any
            if whole is not None:
                made = numpy.ndarray((0,), numpy.uint8)
                made.__setstate__((1, (len(whole.source),), made.dtype, False, whole.source))
                made = made[whole.start : whole.stop].view(dtype).reshape(shape)
                return made if made.flags.aligned else made.copy()
            made = numpy.ndarray((0,), dtype)
            made.__setstate__((1, shape, dtype, False, data))
            return made
        return numpy.frombuffer(data, read_as).reshape(shape).astype(dtype)
    except ValueError as error:
        raise ValueDecodeError(f"numpy refuses a tensor: {error}") from None


def _decode_long_doubles(name: str, shape: tuple[int, ...], data: bytes, scalar: bool) -> Any:
    try:
        longdoubles.check(name, data)
    except ValueError as error:
        raise ValueDecodeError(f"a tensor of dtype {name} is refused: {error}") from None
    try:
        import numpy
    except ImportError:
        return Tensor(name, shape, data, scalar)
    try:
        made = longdoubles.array(numpy, name, shape, data)
    except ValueError as error:
        raise ValueDecodeError(f"numpy refuses a tensor: {error}") from None
    if made is None:  # another machine's format
        return Tensor(name, shape, data, scalar)
    return made[()] if scalar else made


def _short(number: int) -> str:
    return str(number) if number < 1 << 64 else "more than 2**64"


def _element_size(name: str) -> int:
    """Bytes an element takes of a dtype that `_SIZES` has not.

    Raises:
        ValueDecodeError: if there is no such dtype.
    """
    if len(name) <= 32:
        if _TIMES.fullmatch(name):
            return 8
        if _FIXED.fullmatch(name):
            return int(name[1:]) * (4 if name[0] == "U" else 1)
    raise ValueDecodeError(f"a tensor has an unknown dtype: {name[:40]!r}")


_SIZES = {
    **{name: int(re.sub(r"\D", "", name) or 8) // 8 for name in _NAMES},
    **{name: 2 if name == "bfloat16" else 1 for name in _ML_NAMES},
    **longdoubles.SIZES,
}


def _numpy_dtype(numpy: Any, name: str) -> Any:
    """numpy's dtype of that name; None for one of ml_dtypes where that is not installed, or is older than it."""
    if name in _ML_NAMES:
        try:
            import ml_dtypes
        except ImportError:
            return None
        kind = getattr(ml_dtypes, name, None)
        return None if kind is None else numpy.dtype(kind)
    try:
        return numpy.dtype(name)
    except (TypeError, ValueError) as error:  # a multiple of a unit that overflows
        raise ValueDecodeError(f"a tensor has a dtype that numpy refuses: {name}: {error}") from None


def _safe(numpy: Any, dtype: Any, data: bytes) -> Any:
    """The dtype to read bytes by, such that none of them makes an element that numpy could not hold."""
    if dtype.kind == "b":
        return numpy.dtype("uint8")  # a bool of 2 is neither true nor false; astype() makes it true
    if dtype.kind == "U" and numpy.frombuffer(data, "<u4").max() > 0x10FFFF:
        raise ValueDecodeError("a tensor's text has characters beyond Unicode")
    return dtype.newbyteorder("<")


def _scalar(numpy: Any, name: str, dtype: Any, data: bytes) -> Any:
    if name[0] == "S":
        return numpy.bytes_(data)
    if name[0] == "U":
        try:
            return numpy.str_(data.decode("utf-32-le", "surrogatepass"))
        except UnicodeDecodeError as error:
            raise ValueDecodeError(f"a tensor's text is not UTF-32: {error.reason}") from None
    return numpy.frombuffer(data, _safe(numpy, dtype, data)).astype(dtype)[0]


DECODERS: dict[str, Any] = {"tensor_value": _decode_tensor}
