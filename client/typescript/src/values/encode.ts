/**
 * JavaScript → Value, in the form that the Python encoder writes.
 *
 *     encode ─▶ one (by typeof) ─▶ object (by class) ─▶ list, dict, … ─▶ one …
 */

import { type ArrowForm, NullValue, type RecordForm, Value } from "../../gen/callgate/v1/value.js";
import { ValueFormError } from "../errors.js";
import { Tensor } from "./arrays.js";
import { ARROW_FORMS, ArrowStream } from "./arrow.js";
import { FrozenSet, PythonRecord, RECORD_FORMS, Tuple } from "./containers.js";
import type { TensorData } from "./dtypes.js";
import { bigIntBytes } from "./integers.js";
import { at, Budget, DEFAULT_LIMITS, type Limits, Misfit, NESTING_STRIDE, shortKey } from "./limits.js";
import { Complex, Decimal, Float, Uuid } from "./scalars.js";
import { CalendarDate, DateTime, TimeDelta, TimeOfDay } from "./temporal.js";
import * as moments from "./temporal_wire.js";
import { encodeSurrogates } from "./texts.js";

/**
 * Encode a value.
 *
 * A whole number is an int if it is safe (below 2^53), any other number a float; `Float` makes a float of any number. An
 * array is a list, a Map or plain object a dict; a plain object's properties that are undefined are left out.
 *
 * @param value what to encode.
 * @param path how errors name it: "args[0]".
 * @param limits how deep it may nest, and how much it may hold.
 * @returns the message.
 * @throws ValueFormError if it, or a value inside it, has no Value form, nests too deeply or holds itself.
 */
export function encode(value: unknown, path = "value", limits: Limits = DEFAULT_LIMITS): Value {
  try {
    return one(value, new Budget(limits), 0);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw cycleError(error, value, path) ?? new ValueFormError(error.problem, path + error.path);
  }
}

/** The error of a value that nests too deeply because it holds itself; undefined if it does not. */
function cycleError(error: Misfit, value: unknown, path: string): ValueFormError | undefined {
  const seen = new Map<unknown, string>([[value, path]]);
  let here = path;
  const steps = error.trail.reverse();
  for (const [index, { step }] of steps.entries()) {
    here += step;
    const held = steps[index + 1]?.holder;
    const first = seen.get(held);
    if (first !== undefined) return new ValueFormError(`the value holds itself: this is ${first} again`, here);
    if (held !== undefined) seen.set(held, here);
  }
  return undefined;
}

const NULL: Value = { kind: { $case: "nullValue", value: NullValue.NULL_VALUE_UNSPECIFIED } };

function one(value: unknown, budget: Budget, depth: number): Value {
  switch (typeof value) {
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? { kind: { $case: "intValue", value: BigInt(value) } }
        : { kind: { $case: "doubleValue", value } };
    case "string":
      return text(value, budget);
    case "boolean":
      return { kind: { $case: "boolValue", value } };
    case "bigint":
      return int(value, budget);
    case "object":
      return value === null ? NULL : object(value, budget, depth);
    case "undefined":
      throw new Misfit("undefined has no Value form (use null for None)");
    default:
      throw new Misfit(`a ${typeof value} has no Value form`);
  }
}

function text(value: string, budget: Budget): Value {
  budget.spend(value.length);
  return value.isWellFormed()
    ? { kind: { $case: "stringValue", value } }
    : { kind: { $case: "surrogateStringValue", value: encodeSurrogates(value) } };
}

function int(value: bigint, budget: Budget): Value {
  if (BigInt.asIntN(64, value) === value) return { kind: { $case: "intValue", value } };
  const bytes = bigIntBytes(value);
  budget.spend(bytes.length);
  return { kind: { $case: "bigIntValue", value: bytes } };
}

type Encoder = (value: never, budget: Budget, depth: number) => Value;

/** Encoders by class, exactly: a subclass is its author's own. */
const BY_CLASS: ReadonlyMap<unknown, Encoder> = new Map<unknown, Encoder>([
  [Array, list],
  [Object, (value: Record<string, unknown>, budget, depth) => dict(properties(value), budget, depth, value)],
  [Map, dict],
  [Uint8Array, bytes],
  [Buffer, bytes],
  [Float, (value: Float) => ({ kind: { $case: "doubleValue", value: value.value } })],
  [Tuple, (value: Tuple, budget, depth) => sequence("tupleValue", value, value, budget, depth)],
  [Set, (value: Set<unknown>, budget, depth) => sequence("setValue", [...value], value, budget, depth)],
  [FrozenSet, (value: FrozenSet, budget, depth) => sequence("frozensetValue", [...value], value, budget, depth)],
  [Complex, (value: Complex) => ({ kind: { $case: "complexValue", value: { real: value.re, imag: value.im } } })],
  [Decimal, (value: Decimal) => ({ kind: { $case: "decimalValue", value: value.text } })],
  [Uuid, (value: Uuid) => ({ kind: { $case: "uuidValue", value: value.bytes } })],
  [CalendarDate, (value: CalendarDate) => ({ kind: { $case: "dateValue", value: moments.dateMessage(value) } })],
  [TimeOfDay, (value: TimeOfDay) => ({ kind: { $case: "timeValue", value: moments.timeMessage(value) } })],
  [DateTime, (value: DateTime) => ({ kind: { $case: "datetimeValue", value: moments.datetimeMessage(value) } })],
  [Date, date],
  [TimeDelta, (value: TimeDelta) => ({ kind: { $case: "timedeltaValue", value: moments.deltaMessage(value) } })],
  [Tensor, tensor],
  [ArrowStream, arrow],
  [PythonRecord, record],
  ...[Float64Array, Float32Array, Int8Array, Int16Array, Int32Array, BigInt64Array].map(bare),
  ...[Uint8ClampedArray, Uint16Array, Uint32Array, BigUint64Array].map(bare),
]);

function bare(kind: unknown): [unknown, Encoder] {
  return [kind, (value: TensorData, budget) => tensor(new Tensor(value), budget)];
}

function object(value: object, budget: Budget, depth: number): Value {
  const prototype: unknown = Object.getPrototypeOf(value);
  const kind: unknown = prototype === null ? Object : (prototype as { constructor?: unknown }).constructor;
  const encoder = BY_CLASS.get(kind);
  if (encoder) return encoder(value as never, budget, depth);
  throw new Misfit(refusal(value));
}

function refusal(value: object): string {
  const name = (value.constructor as { name?: string } | undefined)?.name;
  const hint =
    value instanceof Promise
      ? " (await it)"
      : value instanceof ArrayBuffer || value instanceof DataView
        ? " (use a Uint8Array)"
        : value instanceof Number || value instanceof String || value instanceof Boolean
          ? " (use the plain value)"
          : value instanceof Error
            ? ""
            : " (use a plain object, a Map or a PythonRecord)";
  return `a ${name === undefined || name === "" ? "nameless class's object" : name} has no Value form${hint}`;
}

function bytes(value: Uint8Array, budget: Budget): Value {
  budget.spend(value.length);
  return { kind: { $case: "bytesValue", value } };
}

function date(value: Date): Value {
  try {
    return { kind: { $case: "datetimeValue", value: moments.datetimeMessage(DateTime.fromDate(value)) } };
  } catch (error) {
    throw new Misfit((error as Error).message);
  }
}

/** A container at this depth, serialized on its own where the parsers' limit wants that. */
function nested(value: Value, depth: number): Value {
  if (depth % NESTING_STRIDE !== 0) return value;
  return { kind: { $case: "nestedValue", value: Value.encode(value).finish() } };
}

function elements(values: readonly unknown[], holder: object, budget: Budget, depth: number): Value[] {
  budget.enter(depth, values.length);
  const made: Value[] = [];
  try {
    for (const value of values) made.push(one(value, budget, depth));
  } catch (error) {
    throw at(error, `[${String(made.length)}]`, holder);
  }
  return made;
}

function sequence(
  $case: "tupleValue" | "setValue" | "frozensetValue",
  values: readonly unknown[],
  holder: object,
  budget: Budget,
  depth: number,
): Value {
  const made = elements(values, holder, budget, depth + 1);
  return nested({ kind: { $case, value: { values: made } } }, depth + 1);
}

function list(values: readonly unknown[], budget: Budget, depth: number): Value {
  const packed = values.length > 0 ? pack(values, budget, depth + 1) : undefined;
  if (packed) return packed;
  const made = elements(values, values, budget, depth + 1);
  return nested({ kind: { $case: "listValue", value: { values: made } } }, depth + 1);
}

type PackedKind = "int" | "double" | "bool" | "string";

function packedKind(value: unknown): PackedKind | undefined {
  switch (typeof value) {
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? "int" : "double";
    case "bigint":
      return BigInt.asIntN(64, value) === value ? "int" : undefined;
    case "boolean":
      return "bool";
    case "string":
      return value.isWellFormed() ? "string" : undefined;
    default:
      return value instanceof Float ? "double" : undefined;
  }
}

/** A list of one plain type in its packed form; undefined for others. */
function pack(values: readonly unknown[], budget: Budget, depth: number): Value | undefined {
  const kind = packedKind(values[0]);
  if (!kind) return undefined;
  for (const value of values) if (packedKind(value) !== kind) return undefined;
  budget.enter(depth, values.length);
  switch (kind) {
    case "int":
      budget.spend(values.length);
      return { kind: { $case: "intList", value: { values: (values as (number | bigint)[]).map(BigInt) } } };
    case "double":
      budget.spend(8 * values.length);
      return { kind: { $case: "doubleList", value: { values: (values as (number | Float)[]).map(Number) } } };
    case "bool":
      budget.spend(values.length);
      return { kind: { $case: "boolList", value: { values: values as boolean[] } } };
    case "string":
      for (const value of values as string[]) budget.spend(value.length);
      return { kind: { $case: "stringList", value: { values: values as string[] } } };
  }
}

function properties(value: Readonly<Record<string, unknown>>): Map<string, unknown> {
  const made = new Map<string, unknown>();
  for (const [name, property] of Object.entries(value)) if (property !== undefined) made.set(name, property);
  return made;
}

function dict(value: ReadonlyMap<unknown, unknown>, budget: Budget, depth: number, holder: object = value): Value {
  depth += 1;
  budget.enter(depth, value.size);
  let packed = true;
  for (const key of value.keys()) {
    if (typeof key !== "string" || !key.isWellFormed()) {
      packed = false;
      break;
    }
  }
  return nested(
    packed ? stringMap(value as Map<string, unknown>, holder, budget, depth) : map(value, holder, budget, depth),
    depth,
  );
}

function stringMap(value: ReadonlyMap<string, unknown>, holder: object, budget: Budget, depth: number): Value {
  const values: Value[] = [];
  let key = "";
  try {
    for (const [name, item] of value) {
      key = name;
      values.push(one(item, budget, depth));
    }
  } catch (error) {
    throw at(error, `[${shortKey(key)}]`, holder);
  }
  return { kind: { $case: "stringMap", value: { keys: [...value.keys()], values } } };
}

function map(value: ReadonlyMap<unknown, unknown>, holder: object, budget: Budget, depth: number): Value {
  const entries: { key: Value; value: Value }[] = [];
  let step = "";
  try {
    for (const [key, item] of value) {
      step = `.key(${shortKey(key)})`;
      const made = one(key, budget, depth);
      step = `[${shortKey(key)}]`;
      entries.push({ key: made, value: one(item, budget, depth) });
    }
  } catch (error) {
    throw at(error, step, holder);
  }
  return { kind: { $case: "mapValue", value: { entries } } };
}

function record(value: PythonRecord, budget: Budget, depth: number): Value {
  depth += 1;
  budget.enter(depth, value.fields.size);
  const fields: { name: string; value: Value }[] = [];
  let step = "";
  try {
    for (const [name, item] of value.fields) {
      step = `.${name}`;
      if (!name.isWellFormed()) throw new Misfit("a field's name has lone surrogates");
      fields.push({ name, value: one(item, budget, depth) });
    }
  } catch (error) {
    throw at(error, step, value);
  }
  if (!value.typeName.isWellFormed()) throw new Misfit("a type's name has lone surrogates");
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the table is in the order of the numbers
  const form = RECORD_FORMS.indexOf(value.form) as RecordForm;
  const message = { typeName: value.typeName, form, fields };
  return nested({ kind: { $case: "recordValue", value: message } }, depth);
}

function tensor(value: Tensor, budget: Budget): Value {
  budget.spend(value.data.byteLength);
  const { dtype, scalar } = value;
  return { kind: { $case: "tensorValue", value: { dtype, shape: value.shape.map(BigInt), data: value.bytes, scalar } } };
}

function arrow(value: ArrowStream, budget: Budget): Value {
  budget.spend(value.ipcStream.length);
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the table is in the order of the numbers
  const form = Math.max(0, ARROW_FORMS.indexOf(value.form)) as ArrowForm;
  return { kind: { $case: "arrowValue", value: { ipcStream: value.ipcStream, form } } };
}
