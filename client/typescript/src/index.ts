/** Call Python functions through a Callgate server: `const gate = await connect("localhost:50051")`. */

export type { BatchCall } from "./gate.js";
export { connect, Gate } from "./gate.js";
export type { ConnectOptions, Pem } from "./connection.js";
export type { Arguments, CallLimits, CallOptions, Health } from "./requests.js";
export type { Items, MapOptions } from "./mapping.js";
export type { Outcome } from "./batches.js";
export type { FunctionInfo, ParameterInfo } from "./functions.js";
export type { Remote } from "./module.js";
export { Stream } from "./stream.js";
export { CallgateError, GateError, type GateErrorInit, ValueDecodeError, ValueFormError } from "./errors.js";
export { type Frame, PythonError } from "./python_error.js";
export { plain } from "./plain.js";
export { Tensor } from "./values/arrays.js";
export type { TensorData } from "./values/dtypes.js";
export { ARROW_FORMS, type ArrowForm, ArrowStream } from "./values/arrow.js";
export { FrozenSet, PythonRecord, RECORD_FORMS, type RecordForm, Tuple } from "./values/containers.js";
export { Complex, Decimal, Float, Uuid } from "./values/scalars.js";
export { CalendarDate, DateTime, TimeDelta, TimeOfDay, TimeZone } from "./values/temporal.js";
export { decode, type DecodeOptions } from "./values/decode.js";
export { encode } from "./values/encode.js";
export { DEFAULT_LIMITS, type Limits } from "./values/limits.js";
