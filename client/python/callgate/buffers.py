"""What numpy and Arrow values arrive as where numpy or pyarrow is not installed: typed buffers, never an error.

Pure Python and free of protobuf and grpc, like `callgate.context`.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ARROW_FORMS", "ArrowStream", "Tensor"]

#: What an Arrow stream stands for, in the order of the numbers of `callgate.v1.ArrowForm`.
ARROW_FORMS = (
    "",
    "table",
    "record_batch",
    "array",
    "pandas_dataframe",
    "polars_dataframe",
    "chunked_array",
    "pandas_series",
    "polars_series",
)

#: struct's codes of the element types that a memoryview can show.
_FORMATS = {
    "bool": "?", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q",
    "uint64": "Q", "float16": "e", "float32": "f", "float64": "d",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """A dense n-dimensional array; what a numpy array or scalar arrives as without numpy.

    A long double of a format that the receiving machine has not arrives as one, too.

    Attributes:
        dtype: the element type by numpy's name: "float64", "bool", "datetime64[ns]", "S5", "U3"; long doubles by their
            format's, "longdouble[x87]", "clongdouble[binary128]" (`callgate.longdoubles` has them all).
        shape: the size of each dimension; () for a scalar or a 0-d array.
        data: the elements in C order, little-endian, without padding.
        scalar: whether it was a numpy scalar, which is not a 0-d array.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes = field(repr=False)
    scalar: bool = False

    @property
    def buffer(self) -> memoryview[Any]:
        """The elements without a copy: shaped and typed where memoryview knows the type, else plain bytes."""
        view: Any = memoryview(self.data)  # its stubs take no format that is found at run time
        code = _FORMATS.get(self.dtype)
        if code is not None and sys.byteorder == "little":
            # memoryview has no way to cast to shapes without elements.
            view = view.cast(code, self.shape) if self.shape and 0 not in self.shape else view.cast(code)
        made: memoryview[Any] = view
        return made

    def tolist(self) -> Any:
        """The elements as Python numbers, nested as the shape says.

        Long doubles are Decimals, exactly: most have some 60 digits, and those near the smallest of x87 and binary128
        up to 11,600, which take 2 ms and 5 KB each.

        Raises:
            TypeError: if the dtype has no Python numbers without numpy.
            ValueError: if a long double is no number of its format, or an array without elements is too many lists.
        """
        if self.dtype.startswith(("longdouble[", "clongdouble[")):
            return self._decimals()
        if self.dtype not in _FORMATS or sys.byteorder != "little":
            raise TypeError(f"elements of dtype {self.dtype} need numpy to be read: pip install 'callgate[numpy]'")
        if 0 in self.shape:
            return _empty(self.shape)
        return self.buffer.tolist() if self.shape else self.buffer[0]

    def _decimals(self) -> Any:
        from callgate import longdoubles  # decimal takes a millisecond to load

        size = longdoubles.SIZES.get(self.dtype)
        if size is None or self.dtype[0] == "c":
            raise TypeError(
                f"elements of dtype {self.dtype} are no Python numbers"
                + ("" if size is None else f": read their parts as Tensor({self.dtype[1:]!r}, (*shape, 2), data)")
            )
        if len(self.data) != math.prod(self.shape) * size:
            raise TypeError(f"{len(self.data)} bytes are no elements of dtype {self.dtype} and shape {self.shape}")
        if 0 in self.shape:
            return _empty(self.shape)
        items: list[Any] = longdoubles.decimals(self.dtype, self.data)
        for length in reversed(self.shape):
            items = [items[at : at + length] for at in range(0, len(items), length)]
        return items[0]


#: How many empty lists an array without elements may become. No bytes stand for them: only this bounds them. Arbitrary:
#: 80 MB.
_MOST_EMPTY = 1_000_000


def _empty(shape: tuple[int, ...]) -> list[Any]:
    outer = shape[: shape.index(0)]
    if math.prod(outer) > _MOST_EMPTY:
        raise ValueError(f"an array of shape {str(shape)[:80]} is empty, and would be too many lists")
    made: list[Any] = []
    for size in reversed(outer):
        made = [list(made) for _ in range(size)]
    return made


@dataclass(frozen=True, slots=True)
class ArrowStream:
    """Arrow data as an IPC stream; what Arrow values arrive as without pyarrow.

    Attributes:
        ipc_stream: the stream: schema, dictionaries, record batches. `polars.read_ipc_stream` reads it, too.
        form: what it stood for, one of ARROW_FORMS.
    """

    ipc_stream: bytes = field(repr=False)
    form: str = "table"
