/** The element types of tensors, by numpy's names. */

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

/** An element type. */
export interface ElementType {
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
  // By the format that each machine's own long double has (docs/adr/0009-long-doubles.md).
  ...Object.entries({ x87: 10, binary128: 16, "double-double": 16 }).flatMap(([format, size]): [string, ElementType][] => [
    [`longdouble[${format}]`, { size, array: Uint8Array }],
    [`clongdouble[${format}]`, { size: 2 * size, array: Uint8Array }],
  ]),
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

/** What an element type is; undefined if there is no such dtype. */
export function elementType(dtype: string): ElementType | undefined {
  const named = NAMED.get(dtype);
  if (named) return named;
  if (dtype.length > 32) return undefined;
  if (TIMES.test(dtype)) return { size: 8, array: BigInt64Array };
  const fixed = FIXED.exec(dtype);
  return fixed ? { size: Number(fixed[2]) * (fixed[1] === "U" ? 4 : 1), array: Uint8Array } : undefined;
}

/** The dtype that a typed array's elements have; "" for what is none. */
export function dtypeOf(data: TensorData): string {
  return DTYPES.get(data.constructor) ?? "";
}

/**
 * What is wrong with x87's numbers; "" if nothing, and for all other dtypes. The format writes the leading bit of the
 * significand out, so an element can contradict its own exponent: libraries disagree about what such a one means.
 */
export function x87Problem(dtype: string, bytes: Uint8Array): string {
  if (!dtype.endsWith("longdouble[x87]")) return "";
  for (let at = 0; at + 9 < bytes.length; at += 10) {
    const [low = 0, middle = 0, high = 0] = bytes.subarray(at + 7, at + 10);
    if (low >> 7 !== Number(middle !== 0 || (high & 0x7f) !== 0)) {
      return `a tensor's bytes at ${String(at)} are no x87 number: its leading bit contradicts its exponent`;
    }
  }
  return "";
}
