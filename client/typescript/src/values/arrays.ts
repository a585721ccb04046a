/** Arrays and tables: numpy's as typed arrays with a shape, Arrow's as an IPC stream. */

import { dtypeOf, elementType, type ElementType, type TensorData, x87Problem } from "./dtypes.js";

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const MOST_DIMENSIONS = 32; // numpy 1's limit

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
     * float16 and bfloat16 a Uint16Array of their bits; texts (S, U), float8 and long doubles stand as bytes in a
     * Uint8Array.
     */
    readonly data: TensorData,
    shape: readonly number[] = [data.length],
    options: { readonly dtype?: string; readonly scalar?: boolean } = {},
  ) {
    this.dtype = options.dtype ?? dtypeOf(data);
    this.shape = [...shape];
    this.scalar = options.scalar ?? false;
    const problem = tensorProblem(this.dtype, this.shape, data.byteLength, this.scalar) || x87Problem(this.dtype, this.bytes);
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
