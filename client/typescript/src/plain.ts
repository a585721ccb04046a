/** Python's values as plain JavaScript, for those who want properties and JSON, and can do without the distinctions. */

import { PythonRecord } from "./values/containers.js";
import { Float } from "./values/scalars.js";

/**
 * A value with its dicts (if all keys are strings) and records as plain objects, its tuples and sets as arrays, its Floats
 * as numbers, all the way down. The rest stays what it is.
 *
 * @example const { price } = plain<Quote>(await gate.call("pricing", "quote", "X"))
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- a claim that reads better than a cast
export function plain<T = unknown>(value: unknown): T {
  return made(value) as T;
}

function made(value: unknown): unknown {
  if (value instanceof Float) return value.value;
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, made);
  if (value instanceof PythonRecord) return object(value.fields);
  if (!(value instanceof Map)) return value;
  const keys = [...value.keys()];
  if (keys.every((key) => typeof key === "string")) return object(value as Map<string, unknown>);
  return new Map(Array.from(value, ([key, item]) => [key, made(item)]));
}

function object(fields: ReadonlyMap<string, unknown>): Record<string, unknown> {
  // fromEntries defines properties: a key named __proto__ is one like any other.
  return Object.fromEntries(Array.from(fields, ([name, item]) => [name, made(item)]));
}
