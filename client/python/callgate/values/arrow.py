"""Tables and columns ↔ Arrow IPC streams: pyarrow's own, and pandas' and polars' frames and series.

Needs none of them: an encoder gets here only with a value whose type one of them made; a decoder imports pyarrow if it
is there, and else makes a `callgate.ArrowStream`.

A stream from the network is checked before anything reads it: pyarrow trusts offsets and lengths, and would read beyond
its buffers (https://arrow.apache.org/docs/format/Security.html). Compressed streams are refused: they could grow a
thousandfold, and none is written here.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

from callgate.buffers import ARROW_FORMS, ArrowStream
from callgate.errors import ValueDecodeError, ValueFormError
from callgate.v1 import value_pb2 as pb
from callgate.values.arrow_ipc import is_compressed
from callgate.values.limits import Budget

__all__ = ["DECODERS", "encode_stream", "encoder_for"]

#: The schema metadata that says that a Series has no name, which is not the name "".
_UNNAMED = b"callgate.unnamed"


def encoder_for(kind: type) -> Any:
    """The encoder for a type of pyarrow, pandas or polars.

    Args:
        kind: a type; told by its ancestry whose it is.

    Returns:
        An encoder; None if the type is none of theirs, or one without a Value form.
    """
    mro = type.__getattribute__(kind, "__mro__")
    for library, name, form, write in _WRITERS:
        module = sys.modules.get(library)
        base = getattr(module, name, None)
        # A subclass of a frame (a GeoDataFrame) is its author's own; Arrow's arrays are all subclasses of Array.
        if base is not None and (kind is base or (library == "pyarrow" and base in mro)):
            return _encoder(form, write)
    return None


def _encoder(form: int, write: Callable[[Any], bytes]) -> Any:
    def encode_arrow(value: Any, target: pb.Value, budget: Budget, depth: int) -> None:
        try:
            stream = write(value)
        except ValueFormError:
            raise
        except Exception as error:  # pyarrow's, for columns of mixed Python objects
            name = f"{type(value).__module__.partition('.')[0]}.{type(value).__qualname__}"
            raise ValueFormError(f"this {name} has no Arrow form: {error}"[:500]) from None
        budget.spend(len(stream))
        made = target.arrow_value
        made.ipc_stream = stream
        made.form = form  # type: ignore[assignment]  # the numbers of the enum

    return encode_arrow


def encode_stream(value: ArrowStream, target: pb.Value, budget: Budget, depth: int) -> None:
    """Encode what Arrow data arrived as without pyarrow."""
    budget.spend(len(value.ipc_stream))
    made = target.arrow_value
    made.SetInParent()
    made.ipc_stream = value.ipc_stream
    made.form = ARROW_FORMS.index(value.form) if value.form in ARROW_FORMS else 0  # type: ignore[assignment]  # as above


def _pyarrow(what: str) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ValueFormError(f"{what} travels as Arrow, which needs pyarrow: pip install 'callgate[arrow]'") from None
    return pyarrow


def _stream(schema: Any, batches: Any) -> bytes:
    pyarrow = _pyarrow("this value")
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write(batch)
    return bytes(sink.getvalue().to_pybytes())


def _write_table(value: Any) -> bytes:
    return _stream(value.schema, value.to_batches())


def _write_batch(value: Any) -> bytes:
    return _stream(value.schema, [value])


def _write_array(value: Any) -> bytes:
    pyarrow = _pyarrow("an array")
    return _write_batch(pyarrow.RecordBatch.from_arrays([value], names=[""]))


def _write_chunked(value: Any) -> bytes:
    pyarrow = _pyarrow("an array")
    schema = pyarrow.schema([pyarrow.field("", value.type)])
    return _stream(schema, (pyarrow.RecordBatch.from_arrays([chunk], schema=schema) for chunk in value.chunks))


def _write_pandas(value: Any) -> bytes:
    return _write_table(_pyarrow("a pandas.DataFrame").Table.from_pandas(value))


def _write_pandas_series(value: Any) -> bytes:
    table = _pyarrow("a pandas.Series").Table.from_pandas(value.to_frame())
    if value.name is None:
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _UNNAMED: b"1"})
    return _write_table(table)


def _write_polars(value: Any) -> bytes:
    polars = sys.modules["polars"]
    sink = io.BytesIO()
    # The oldest level: string views and the like are unknown to many readers.
    value.write_ipc_stream(sink, compression="uncompressed", compat_level=polars.CompatLevel.oldest())
    return sink.getvalue()


def _write_polars_series(value: Any) -> bytes:
    return _write_polars(value.to_frame())


#: Library, type, the form of its values, and how they are written.
_WRITERS: tuple[tuple[str, str, int, Callable[[Any], bytes]], ...] = (
    ("pyarrow", "Table", pb.ARROW_FORM_TABLE, _write_table),
    ("pyarrow", "RecordBatch", pb.ARROW_FORM_RECORD_BATCH, _write_batch),
    ("pyarrow", "ChunkedArray", pb.ARROW_FORM_CHUNKED_ARRAY, _write_chunked),
    ("pyarrow", "Array", pb.ARROW_FORM_ARRAY, _write_array),
    ("pandas", "DataFrame", pb.ARROW_FORM_PANDAS_DATAFRAME, _write_pandas),
    ("pandas", "Series", pb.ARROW_FORM_PANDAS_SERIES, _write_pandas_series),
    ("polars", "DataFrame", pb.ARROW_FORM_POLARS_DATAFRAME, _write_polars),
    ("polars", "Series", pb.ARROW_FORM_POLARS_SERIES, _write_polars_series),
)


def _decode_arrow(value: pb.Value, budget: Budget, depth: int) -> Any:
    message = value.arrow_value
    stream = message.ipc_stream
    form = message.form
    if not 0 <= form < len(ARROW_FORMS):
        raise ValueDecodeError(f"an arrow_value has the unknown form {form}")
    if is_compressed(stream):
        raise ValueDecodeError("an Arrow stream is compressed; only plain ones are taken")
    try:
        import pyarrow
    except ImportError:
        return ArrowStream(stream, ARROW_FORMS[form] or "table")
    try:
        with pyarrow.ipc.open_stream(pyarrow.py_buffer(stream)) as reader:
            schema = reader.schema
            batches = list(reader)
        for batch in batches:
            batch.validate(full=True)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise ValueDecodeError(f"not an Arrow IPC stream: {error}"[:500]) from None
    # A column of nulls takes no bytes, however many there are; any other takes a bit an element.
    rows = sum(batch.num_rows for batch in batches)
    if rows > 8 * len(stream):
        raise ValueDecodeError(f"an Arrow stream of {len(stream)} bytes says that it has {rows} rows")
    read = _READERS.get(form)
    try:
        return read(pyarrow, schema, batches) if read else pyarrow.Table.from_batches(batches, schema)
    except BaseException as error:
        # What a client wrote (pandas' own metadata, types that a library does not have) can be wrong in any way, and
        # polars answers some of it with a Rust panic, which is no Exception. What else is none is not about the value.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ValueDecodeError(f"an Arrow stream is no {ARROW_FORMS[form]}: {error}"[:500]) from None


def _read_batch(pyarrow: Any, schema: Any, batches: list[Any]) -> Any:
    if len(batches) != 1:
        raise ValueError(f"it has {len(batches)} batches, and one is right")
    return batches[0]


def _one_column(schema: Any) -> None:
    if len(schema) != 1:
        raise ValueError(f"it has {len(schema)} columns, and one is right")


def _read_array(pyarrow: Any, schema: Any, batches: list[Any]) -> Any:
    _one_column(schema)
    return _read_batch(pyarrow, schema, batches).column(0)


def _read_chunked(pyarrow: Any, schema: Any, batches: list[Any]) -> Any:
    _one_column(schema)
    return pyarrow.chunked_array([batch.column(0) for batch in batches], schema.field(0).type)


def _read_pandas(pyarrow: Any, schema: Any, batches: list[Any]) -> Any:
    table = pyarrow.Table.from_batches(batches, schema)
    try:
        import pandas  # noqa: F401  # only whether it is there: to_pandas() needs it
    except ImportError:
        return table
    return table.to_pandas()


def _read_pandas_series(pyarrow: Any, schema: Any, batches: list[Any]) -> Any:
    made = _read_pandas(pyarrow, schema, batches)
    if isinstance(made, pyarrow.Table):
        return made
    if len(made.columns) != 1:
        raise ValueError(f"it has {len(made.columns)} columns, and one is right")
    series = made.iloc[:, 0]
    if _UNNAMED in (schema.metadata or {}):
        series.name = None
    return series


def _read_polars(pyarrow: Any, schema: Any, batches: list[Any]) -> Any:
    table = pyarrow.Table.from_batches(batches, schema)
    try:
        import polars
    except ImportError:
        return table
    return polars.from_arrow(table)


def _read_polars_series(pyarrow: Any, schema: Any, batches: list[Any]) -> Any:
    _one_column(schema)
    made = _read_polars(pyarrow, schema, batches)
    return made if isinstance(made, pyarrow.Table) else made.to_series(0)


_READERS: dict[int, Callable[[Any, Any, list[Any]], Any]] = {
    pb.ARROW_FORM_RECORD_BATCH: _read_batch,
    pb.ARROW_FORM_ARRAY: _read_array,
    pb.ARROW_FORM_CHUNKED_ARRAY: _read_chunked,
    pb.ARROW_FORM_PANDAS_DATAFRAME: _read_pandas,
    pb.ARROW_FORM_POLARS_DATAFRAME: _read_polars,
    pb.ARROW_FORM_PANDAS_SERIES: _read_pandas_series,
    pb.ARROW_FORM_POLARS_SERIES: _read_polars_series,
}

DECODERS: dict[str, Any] = {"arrow_value": _decode_arrow}
