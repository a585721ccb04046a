/**
 * Value → JavaScript. Depth, elements and bytes are counted before a container is built, so that a hostile message costs
 * no more than its own bytes did.
 */

import { type ListValue, type MapValue, type Record as RecordMessage, type StringMap, type Tensor as TensorMessage, Value } from "../../gen/callgate/v1/value.js";
import { ValueDecodeError } from "../errors.js";
import { Tensor, tensorProblem } from "./arrays.js";
import { ARROW_FORMS, ArrowStream } from "./arrow.js";
import { elementType } from "./dtypes.js";
import { FrozenSet, PythonRecord, RECORD_FORMS, Tuple } from "./containers.js";
import { identity } from "./identity.js";
import { bytesToBigInt, integer } from "./integers.js";
import { at, Budget, DEFAULT_LIMITS, type Limits, Misfit, NESTING_STRIDE, shortKey } from "./limits.js";
import { Complex, Decimal, Float, Uuid } from "./scalars.js";
import * as moments from "./temporal_wire.js";
import { decodeSurrogates } from "./texts.js";
import { parse } from "./wire.js";

/** How values are decoded. */
export interface DecodeOptions {
  /**
   * Whether Python's float 2.0 stays apart from its int 2, as `new Float(2)`; what is decoded so is encoded to the very
   * same. Without it both are the number 2.
   */
  readonly exact?: boolean;
  /** How errors name the value: "result". */
  readonly path?: string;
  /** How deep it may nest, and how much it may hold. */
  readonly limits?: Limits;
}

/**
 * Decode a Value.
 *
 * @param value the message, or its bytes.
 * @param options how.
 * @returns an int as a number where that is exact, else a bigint; a list as an Array, a tuple as a Tuple, a dict as a Map.
 * @throws ValueDecodeError if it is no value that Python could hold, or goes beyond a limit.
 */
export function decode(value: Value | Uint8Array, options: DecodeOptions = {}): unknown {
  const path = options.path ?? "result";
  let message = value;
  if (message instanceof Uint8Array) {
    try {
      message = parse(Value, message);
    } catch {
      throw new ValueDecodeError("these bytes are no serialized Value", path);
    }
  }
  // The commonest results by far, worth no budget.
  const kind = message.kind;
  if (kind?.$case === "stringValue" || kind?.$case === "boolValue") return kind.value;
  try {
    return new Decoder(options.limits ?? DEFAULT_LIMITS, options.exact ?? false).one(message, 0);
  } catch (error) {
    if (error instanceof Misfit) throw new ValueDecodeError(error.problem, path + error.path);
    throw error;
  }
}

class Decoder {
  private readonly budget: Budget;
  private readonly float: (value: number) => number | Float;

  constructor(
    private readonly limits: Limits,
    exact: boolean,
  ) {
    this.budget = new Budget(limits);
    this.float = exact
      ? (value) => (Number.isSafeInteger(value) && !Object.is(value, -0) ? new Float(value) : value)
      : (value) => value;
  }

  one(message: Value | undefined, depth: number): unknown {
    const kind = message?.kind;
    if (!kind) throw new Misfit("a Value with no kind set (a newer server's kind, or an empty message)");
    switch (kind.$case) {
      case "nullValue":
        return null;
      case "boolValue":
      case "stringValue":
        return kind.value;
      case "intValue":
        return integer(kind.value);
      case "doubleValue":
        return this.float(kind.value);
      case "bytesValue":
        return copied(kind.value);
      case "bigIntValue":
        if (kind.value.length === 0) throw new Misfit("a big_int_value is empty");
        return integer(bytesToBigInt(kind.value));
      case "surrogateStringValue":
        return decodeSurrogates(kind.value);
      case "doubleList":
        return this.packed(kind.value.values, depth).map(this.float);
      case "intList":
        return this.packed(kind.value.values, depth).map(integer);
      case "boolList":
      case "stringList":
        return this.packed<unknown>(kind.value.values, depth);
      case "listValue":
        return this.elements(kind.value, depth);
      case "tupleValue":
        return Tuple.from(this.elements(kind.value, depth));
      case "setValue":
        return new Set(this.distinct(kind.value, depth, "set"));
      case "frozensetValue":
        return new FrozenSet(this.distinct(kind.value, depth, "frozenset"));
      case "stringMap":
        return this.stringMap(kind.value, depth + 1);
      case "mapValue":
        return this.map(kind.value, depth + 1);
      case "recordValue":
        return this.record(kind.value, depth + 1);
      case "nestedValue":
        return this.nested(kind.value, depth);
      case "complexValue":
        return new Complex(kind.value.real, kind.value.imag);
      case "decimalValue":
        return built("a decimal_value", () => new Decimal(kind.value));
      case "uuidValue":
        if (kind.value.length !== 16) {
          throw new Misfit(`a uuid_value has ${String(kind.value.length)} bytes; 16 are right`);
        }
        return Uuid.fromBytes(kind.value);
      case "dateValue":
        return moments.readDate(kind.value);
      case "timeValue":
        return moments.readTime(kind.value);
      case "datetimeValue":
        return moments.readDateTime(kind.value);
      case "timedeltaValue":
        return moments.readDelta(kind.value);
      case "tensorValue":
        return this.tensor(kind.value);
      case "arrowValue": {
        const form = ARROW_FORMS[kind.value.form];
        if (form === undefined) throw new Misfit(`an arrow_value has the unknown form ${String(kind.value.form)}`);
        return new ArrowStream(copied(kind.value.ipcStream), form || "table");
      }
    }
  }

  private packed<T>(values: T[], depth: number): T[] {
    this.budget.enter(depth + 1, values.length);
    return values;
  }

  /** The elements of a container inside one at `depth`. */
  private elements({ values }: ListValue, depth: number): unknown[] {
    depth += 1;
    this.budget.enter(depth, values.length);
    const made: unknown[] = [];
    try {
      for (const value of values) made.push(this.one(value, depth));
    } catch (error) {
      throw at(error, `[${String(made.length)}]`);
    }
    return made;
  }

  private distinct(list: ListValue, depth: number, what: string): unknown[] {
    const made = this.elements(list, depth);
    checkDistinct(made, `an element of a ${what}`, `a ${what} has an element twice`);
    return made;
  }

  private stringMap({ keys, values }: StringMap, depth: number): Map<string, unknown> {
    if (keys.length !== values.length) {
      throw new Misfit(`a string_map has ${String(keys.length)} keys and ${String(values.length)} values`);
    }
    this.budget.enter(depth, keys.length);
    const made = new Map<string, unknown>();
    let key = "";
    try {
      for (const [index, value] of values.entries()) {
        key = keys[index] ?? "";
        made.set(key, this.one(value, depth));
      }
    } catch (error) {
      throw at(error, `[${shortKey(key)}]`);
    }
    if (made.size !== keys.length) throw new Misfit("a key comes twice in a string_map");
    return made;
  }

  private map({ entries }: MapValue, depth: number): Map<unknown, unknown> {
    this.budget.enter(depth, entries.length);
    const keys: unknown[] = [];
    const items: unknown[] = [];
    let step = "";
    try {
      for (const entry of entries) {
        step = `.key(${String(keys.length)})`;
        const key = this.one(entry.key, depth);
        keys.push(key);
        step = `[${shortKey(key)}]`;
        items.push(this.one(entry.value, depth));
      }
    } catch (error) {
      throw at(error, step);
    }
    checkDistinct(keys, "a key", "a key comes twice");
    return new Map(keys.map((key, index) => [key, items[index]]));
  }

  private record({ typeName, form, fields }: RecordMessage, depth: number): PythonRecord {
    this.budget.enter(depth, fields.length);
    const made = new Map<string, unknown>();
    for (const { name, value } of fields) {
      const step = `.${name.slice(0, 80)}`;
      if (made.has(name)) throw new Misfit("a field comes twice", step);
      try {
        made.set(name, this.one(value, depth));
      } catch (error) {
        throw at(error, step);
      }
    }
    const formName = RECORD_FORMS[form];
    if (formName === undefined) throw new Misfit(`a record has the unknown form ${String(form)}`);
    return new PythonRecord(typeName, made, formName);
  }

  private nested(bytes: Uint8Array, depth: number): unknown {
    // Each level holds a copy of all that is inside it: nesting at every level would multiply a message a hundredfold.
    if (this.budget.nested >= Math.floor(this.limits.depth / NESTING_STRIDE) + 1) {
      throw new Misfit(`nested_value comes more often than every ${String(NESTING_STRIDE)} levels`);
    }
    let inner: Value;
    try {
      inner = parse(Value, bytes);
    } catch {
      throw new Misfit("a nested_value is not a serialized Value");
    }
    this.budget.nested += 1;
    const made = this.one(inner, depth);
    this.budget.nested -= 1;
    return made;
  }

  private tensor({ dtype, shape, data, scalar }: TensorMessage): Tensor {
    const sizes = shape.map(Number);
    const problem = tensorProblem(dtype, sizes, data.length, scalar);
    if (problem) throw new Misfit(problem);
    if (elementType(dtype)?.size === 0 && sizes.reduce((count, n) => count * n, 1) > this.budget.elementsLeft) {
      throw new Misfit("a tensor of elements without width has too many of them");
    }
    return built("a tensor", () => Tensor.fromBytes(dtype, sizes, data, scalar));
  }
}

function built<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new Misfit(`${what}: ${(error as Error).message}`);
  }
}

/** Bytes of their own: the message's are a view of a buffer that is shared. */
function copied(bytes: Uint8Array): Uint8Array {
  const made = new Uint8Array(bytes.length);
  made.set(bytes);
  return made;
}

function checkDistinct(values: readonly unknown[], what: string, twice: string): void {
  const seen = new Set<string>();
  for (const value of values) {
    try {
      seen.add(identity(value));
    } catch (error) {
      throw error instanceof Misfit ? new Misfit(`${what}: ${error.problem}`) : error;
    }
  }
  if (seen.size !== values.length) throw new Misfit(twice);
}
