/** Arrow data, as Arrow's own libraries read it. */

/** What Arrow data stood for in Python. */
export type ArrowForm =
  | "table"
  | "record_batch"
  | "array"
  | "pandas_dataframe"
  | "polars_dataframe"
  | "chunked_array"
  | "pandas_series"
  | "polars_series";

/** The forms in the order of the numbers of `callgate.v1.ArrowForm`. */
export const ARROW_FORMS: readonly (ArrowForm | "")[] = [
  "",
  "table",
  "record_batch",
  "array",
  "pandas_dataframe",
  "polars_dataframe",
  "chunked_array",
  "pandas_series",
  "polars_series",
];

/** A table or column as an Arrow IPC stream: `tableFromIPC(stream.ipcStream)` of the package apache-arrow reads it. */
export class ArrowStream {
  constructor(
    /** The IPC stream: schema, dictionaries, record batches; not compressed. */
    readonly ipcStream: Uint8Array,
    /** What it stands for. */
    readonly form: ArrowForm = "table",
  ) {}
}
