/** Arrays and tables: numpy's as typed arrays with a shape, Arrow's as an IPC stream. */

/** The typed arrays that a tensor's elements may stand in. */
export type TensorData =
  | Float64Array
  | Float32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

type TensorArray = new (buffer: ArrayBuffer) => TensorData;

interface ElementType {
  /** Bytes an element takes. */
  readonly size: number;
  /** What its elements are read as; complex numbers as two floats each, what JavaScript has no type for as bytes. */
  readonly array: TensorArray;
}

const NAMED: ReadonlyMap<string, ElementType> = new Map<string, ElementType>([
  ["bool", { size: 1, array: Uint8Array }],
  ["int8", { size: 1, array: Int8Array }],
  ["int16", { size: 2, array: Int16Array }],
  ["int32", { size: 4, array: Int32Array }],
  ["int64", { size: 8, array: BigInt64Array }],
  ["uint8", { size: 1, array: Uint8Array }],
  ["uint16", { size: 2, array: Uint16Array }],
  ["uint32", { size: 4, array: Uint32Array }],
  ["uint64", { size: 8, array: BigUint64Array }],
  ["float16", { size: 2, array: Uint16Array }],
  ["bfloat16", { size: 2, array: Uint16Array }],
  ["float32", { size: 4, array: Float32Array }],
  ["float64", { size: 8, array: Float64Array }],
  ["complex64", { size: 8, array: Float32Array }],
  ["complex128", { size: 16, array: Float64Array }],
  ...["e3m4", "e4m3", "e4m3b11fnuz", "e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu"].map(
    (name): [string, ElementType] => [`float8_${name}`, { size: 1, array: Uint8Array }],
  ),
]);
const TIMES = /^(?:datetime64|timedelta64)(?:\[(?:[1-9][0-9]{0,8})?(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?$/;
const FIXED = /^([SU])(0|[1-9][0-9]{0,8})$/;

/** The dtype of a bare typed array. */
const DTYPES: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [Float64Array, "float64"],
  [Float32Array, "float32"],
  [Int8Array, "int8"],
  [Int16Array, "int16"],
  [Int32Array, "int32"],
  [BigInt64Array, "int64"],
  [Uint8Array, "uint8"],
  [Uint8ClampedArray, "uint8"],
  [Uint16Array, "uint16"],
  [Uint32Array, "uint32"],
  [BigUint64Array, "uint64"],
]);

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const MOST_DIMENSIONS = 32; // numpy 1's limit

/** What an element type is; undefined if there is no such dtype. */
export function elementType(dtype: string): ElementType | undefined {
  const named = NAMED.get(dtype);
  if (named) return named;
  if (dtype.length > 32) return undefined;
  if (TIMES.test(dtype)) return { size: 8, array: BigInt64Array };
  const fixed = FIXED.exec(dtype);
  return fixed ? { size: Number(fixed[2]) * (fixed[1] === "U" ? 4 : 1), array: Uint8Array } : undefined;
}

/** Why a dtype, shape and size do not make a tensor; "" if they do. */
export function tensorProblem(dtype: string, shape: readonly number[], bytes: number, scalar: boolean): string {
  const type = elementType(dtype);
  if (!type) return `a tensor has an unknown dtype: ${JSON.stringify(dtype.slice(0, 40))}`;
  const shown = `(${shape.join(", ")})`.slice(0, 80);
  if (shape.length > MOST_DIMENSIONS || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    return `a tensor has the shape ${shown}; at most 32 dimensions of 0 or more are right`;
  }
  if (scalar && shape.length > 0) return "a tensor is said to be a scalar and has a shape";
  const needed = shape.reduce((count, n) => count * n, 1) * type.size;
  if (needed !== bytes) {
    return `a tensor of shape ${shown} and dtype ${dtype} takes ${String(needed)} bytes, and has ${String(bytes)}`;
  }
  return "";
}

/**
 * A dense n-dimensional array: numpy's. A bare typed array as an argument is one of one dimension (a Uint8Array: bytes).
 *
 * @example new Tensor(new Float64Array([1, 2, 3, 4]), [2, 2])
 */
export class Tensor {
  /** The size of each dimension; [] for a scalar or a 0-d array. */
  readonly shape: readonly number[];
  /** The element type by numpy's name: "float64", "bool", "datetime64[ns]", "S5", "U3". */
  readonly dtype: string;
  /** Whether it is a numpy scalar, which is not a 0-d array. */
  readonly scalar: boolean;

  constructor(
    /**
     * The elements in C order. Complex numbers take two elements each, datetime64 and timedelta64 are a BigInt64Array,
     * float16 and bfloat16 a Uint16Array of their bits; texts (S, U) and float8 stand as bytes in a Uint8Array.
     */
    readonly data: TensorData,
    shape: readonly number[] = [data.length],
    options: { readonly dtype?: string; readonly scalar?: boolean } = {},
  ) {
    this.dtype = options.dtype ?? DTYPES.get(data.constructor) ?? "";
    this.shape = [...shape];
    this.scalar = options.scalar ?? false;
    const problem = tensorProblem(this.dtype, this.shape, data.byteLength, this.scalar);
    if (problem) throw new RangeError(problem);
  }

  /** The tensor of little-endian bytes, which are copied. */
  static fromBytes(dtype: string, shape: readonly number[], bytes: Uint8Array, scalar = false): Tensor {
    const type = elementType(dtype);
    if (!type) throw new RangeError(`a tensor has an unknown dtype: ${JSON.stringify(dtype.slice(0, 40))}`);
    // A copy of its own: typed arrays want aligned memory, and the message's is shared.
    const copy = new Uint8Array(bytes.length);
    copy.set(bytes);
    checkByteOrder(type);
    if (copy.length % (type.array as unknown as { BYTES_PER_ELEMENT: number }).BYTES_PER_ELEMENT) {
      throw new RangeError(tensorProblem(dtype, shape, bytes.length, scalar) || "a tensor has parts of an element");
    }
    return new Tensor(new type.array(copy.buffer), shape, { dtype, scalar });
  }

  /** The elements as little-endian bytes: a view, not a copy. */
  get bytes(): Uint8Array {
    const type = elementType(this.dtype);
    if (type) checkByteOrder(type);
    return new Uint8Array(this.data.buffer, this.data.byteOffset, this.data.byteLength);
  }
}

function checkByteOrder(type: ElementType): void {
  if (!LITTLE_ENDIAN && type.array !== Uint8Array && type.array !== Int8Array) {
    throw new RangeError("tensors travel little-endian, and this machine is big-endian");
  }
}

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
