"""What numpy and Arrow values arrive as where numpy or pyarrow is not installed: typed buffers, never an error.

Pure Python and free of protobuf and grpc, like `callgate.context`.
"""

from __future__ import annotations

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

    Attributes:
        dtype: the element type by numpy's name: "float64", "bool", "datetime64[ns]", "S5", "U3".
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

        Raises:
            TypeError: if the dtype is none that memoryview knows.
        """
        if self.dtype not in _FORMATS or sys.byteorder != "little":
            raise TypeError(f"elements of dtype {self.dtype} need numpy to be read: pip install 'callgate[numpy]'")
        if 0 in self.shape:
            return _empty(self.shape)
        return self.buffer.tolist() if self.shape else self.buffer[0]


def _empty(shape: tuple[int, ...]) -> list[Any]:
    outer = shape[: shape.index(0)]
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
