/** When two values are one set element or one key in Python, where 1, 1.0 and True are. */

import { DateTime, CalendarDate, TimeDelta, TimeOfDay } from "./temporal.js";
import { Complex, Decimal, Float, Uuid } from "./scalars.js";
import { FrozenSet, PythonRecord, Tuple } from "./containers.js";
import { Misfit } from "./limits.js";

/** A text that equal values share; throws a Misfit for what Python could not hash. */
export function identity(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `s${value}`;
    case "number":
      return Number.isInteger(value) ? `n${String(BigInt(value))}` : `n${String(value)}`;
    case "bigint":
      return `n${String(value)}`;
    case "boolean":
      return value ? "n1" : "n0";
  }
  if (value === null) return "none";
  if (value instanceof Float) return identity(value.value);
  if (value instanceof Tuple) return `t${joined(Array.from(value, identity))}`;
  if (value instanceof FrozenSet) return `f${joined(Array.from(value, identity).sort())}`;
  if (value instanceof Decimal || value instanceof Uuid) return `${value.constructor.name}${value.text}`;
  if (value instanceof Complex) return value.im === 0 ? identity(value.re) : `c${String(value)}`;
  if (value instanceof Uint8Array) return `b${Buffer.from(value).toString("latin1")}`;
  if (value instanceof DateTime || value instanceof CalendarDate || value instanceof TimeOfDay) {
    return `${value.constructor.name}${String(value)}`;
  }
  if (value instanceof TimeDelta) return `d${String(value)}`;
  if (value instanceof PythonRecord) {
    const fields = Array.from(value.fields, ([name, field]) => joined([name, identity(field)]));
    return `r${joined([value.typeName, ...fields])}`;
  }
  throw new Misfit(`it is not hashable: ${Array.isArray(value) ? "list" : value instanceof Map ? "dict" : "set or array"}`);
}

function joined(parts: readonly string[]): string {
  return parts.map((part) => `${String(part.length)}:${part}`).join("");
}
