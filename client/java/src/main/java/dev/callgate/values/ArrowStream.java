package dev.callgate.values;

import com.google.protobuf.ByteString;

/**
 * Arrow data: pyarrow's tables, batches and arrays, pandas' and polars' frames and series.
 *
 * @param ipcStream one IPC stream, which Arrow's {@code ArrowStreamReader} reads
 * @param form what the stream stands for
 */
public record ArrowStream(ByteString ipcStream, Form form) {
  /** What a stream stands for, in the order of the contract's numbers. */
  public enum Form {
    /** Not said: a table. */
    UNSPECIFIED,
    /** pyarrow.Table. */
    TABLE,
    /** pyarrow.RecordBatch. */
    RECORD_BATCH,
    /** pyarrow.Array. */
    ARRAY,
    /** pandas.DataFrame. */
    PANDAS_DATAFRAME,
    /** polars.DataFrame. */
    POLARS_DATAFRAME,
    /** pyarrow.ChunkedArray. */
    CHUNKED_ARRAY,
    /** pandas.Series. */
    PANDAS_SERIES,
    /** polars.Series. */
    POLARS_SERIES
  }
}
