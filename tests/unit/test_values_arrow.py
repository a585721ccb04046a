"""Arrow's own values, pandas and polars frames; slow because importing the libraries is."""

from __future__ import annotations

import struct
import sys
from typing import Any

import pytest

from callgate import ArrowStream, ValueDecodeError, ValueFormError
from callgate.v1 import value_pb2 as pb
from callgate.values import decode, encode

pytestmark = pytest.mark.slow

pa: Any = pytest.importorskip("pyarrow", reason="pyarrow is not installed")


def round_trip(value: Any) -> Any:
    return decode(pb.Value.FromString(encode([value]).SerializeToString()))[0]


TABLE = pa.table({"n": [1, 2, None], "s": ["a", "b", None], "d": pa.array(["x", "y", "x"]).dictionary_encode()})


@pytest.mark.parametrize(
    "value",
    [
        TABLE,
        TABLE.slice(1, 2).combine_chunks(),
        pa.table({}),
        TABLE.replace_schema_metadata({"k": "v"}),
        TABLE.to_batches()[0],
        pa.array([1, None, 3]),
        pa.array([[1], [], None]),
        pa.array([], pa.timestamp("ns", "Europe/Paris")),
        pa.chunked_array([[1, 2], [3]]),
        pa.chunked_array([], pa.int8()),
        pa.nulls(3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_arrow_values_come_back(value: Any) -> None:
    back = round_trip(value)
    assert type(back) is type(value)
    assert back.equals(value)
    if hasattr(value, "schema"):
        assert back.schema.equals(value.schema, check_metadata=True)


def test_pandas_frames_and_series_come_back() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    index = pd.date_range("2024-01-01", periods=3, tz="Europe/Paris", name="at")
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"], "c": pd.Categorical(["u", "v", "u"])}, index=index)
    pd.testing.assert_frame_equal(round_trip(frame), frame, check_freq=False)
    for name in ("s", None, "", 7):
        series = pd.Series([1.0, 2.0], index=["p", "q"], name=name)
        pd.testing.assert_series_equal(round_trip(series), series)
    with pytest.raises(ValueFormError, match=r"this pandas.DataFrame has no Arrow form"):
        encode(pd.DataFrame({"a": [object(), 1]}))
    with pytest.raises(ValueFormError, match=r"Timestamp has no Value form \(use value.to_numpy"):
        encode(pd.Timestamp("2024-01-01"))


def test_polars_frames_and_series_come_back() -> None:
    pl = pytest.importorskip("polars", reason="polars is not installed")
    frame = pl.DataFrame({"a": [1, 2, None], "b": ["x", None, "z"], "c": [[1], [], None]})
    back = round_trip(frame)
    assert type(back) is pl.DataFrame
    assert back.equals(frame)
    assert back.schema == frame.schema
    series = pl.Series("s", [1.5, None])
    assert round_trip(series).equals(series, check_names=True)


def test_without_pyarrow_a_stream_is_a_typed_buffer_that_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    message = encode(TABLE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    back = decode(message)
    assert back == ArrowStream(message.arrow_value.ipc_stream, "table")
    assert encode(back) == message


def test_a_compressed_stream_is_refused_before_it_can_grow() -> None:
    for codec in ("zstd", "lz4"):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, TABLE.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
            writer.write_table(TABLE)
        message = pb.Value(arrow_value=pb.Arrow(ipc_stream=sink.getvalue().to_pybytes()))
        with pytest.raises(ValueDecodeError, match="compressed"):
            decode(message)


def test_offsets_that_lie_are_found_before_anything_reads_by_them() -> None:
    stream = bytearray(encode(pa.array(["aaaa", "bbbb"])).arrow_value.ipc_stream)
    at = stream.rindex(struct.pack("<iii", 0, 4, 8))
    stream[at : at + 12] = struct.pack("<iii", 0, 1 << 30, 8)
    message = pb.Value(arrow_value=pb.Arrow(ipc_stream=bytes(stream), form=pb.ARROW_FORM_ARRAY))
    with pytest.raises(ValueDecodeError, match="not an Arrow IPC stream"):
        decode(message)


def test_rows_that_no_bytes_stand_for_are_refused() -> None:
    batch = pa.RecordBatch.from_arrays([pa.nulls(1_000_000)], names=["n"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    message = pb.Value(
        arrow_value=pb.Arrow(ipc_stream=sink.getvalue().to_pybytes(), form=pb.ARROW_FORM_PANDAS_DATAFRAME)
    )
    with pytest.raises(ValueDecodeError, match="says that it has 1000000 rows"):
        decode(message)


@pytest.mark.parametrize("stream", [b"", b"\xff\xff\xff\xff\0\0\0\0", b"junk" * 10, b"\xff\xff\xff\xff\x10\0\0\0"])
def test_what_is_no_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(ValueDecodeError, match="Arrow"):
        decode(pb.Value(arrow_value=pb.Arrow(ipc_stream=stream)))


def test_a_stream_of_another_form_than_it_says_is_refused() -> None:
    message = encode(TABLE)
    message.arrow_value.form = pb.ARROW_FORM_ARRAY
    with pytest.raises(ValueDecodeError, match="no array: it has 3 columns"):
        decode(message)


def test_a_type_that_polars_does_not_have_is_an_error_of_the_value_not_a_panic():
    """Found by fuzzing: polars panics in Rust, which raises a BaseException."""
    pyarrow = pytest.importorskip("pyarrow", reason="Arrow values want pyarrow")
    pytest.importorskip("polars", reason="polars' frames want polars")
    table = pyarrow.table({"a": pyarrow.array([(1, 2, 3)], type=pyarrow.month_day_nano_interval())})
    value = encode(table)
    value.arrow_value.form = pb.ARROW_FORM_POLARS_DATAFRAME
    with pytest.raises(ValueDecodeError, match="Arrow stream is no"):
        decode(value)
