/** What values are in TypeScript, beyond the golden ones: idioms, paths, refusals. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  CalendarDate,
  Complex,
  DateTime,
  decode,
  Decimal,
  encode,
  Float,
  FrozenSet,
  plain,
  PythonRecord,
  Tensor,
  TimeDelta,
  TimeOfDay,
  TimeZone,
  Tuple,
  Uuid,
  ValueFormError,
} from "../src/index.js";

function kindOf(value: unknown): string | undefined {
  return encode(value).kind?.$case;
}

function there(value: unknown, exact = false): unknown {
  return decode(encode(value), { exact });
}

function problemOf(value: unknown): string {
  try {
    encode(value, "args[0]");
  } catch (error) {
    assert.ok(error instanceof ValueFormError);
    return error.message;
  }
  return "no error";
}

test("a safe whole number is an int, every other number a float", () => {
  for (const int of [0, -1, 2 ** 53 - 1]) assert.equal(kindOf(int), "intValue");
  for (const float of [-0, 0.5, NaN, Infinity, 2 ** 53]) assert.equal(kindOf(float), "doubleValue");
});

test("Float makes a float of a whole number, and calculates like one", () => {
  assert.equal(kindOf(new Float(2)), "doubleValue");
  assert.equal(kindOf(Float.list([1, 2.5])), "doubleList");
  assert.equal(Number(new Float(2)) + 1, 3);
  assert.equal(JSON.stringify([new Float(2)]), "[2]");
});

test("decoding gives numbers; exact decoding keeps 2.0 apart from 2", () => {
  assert.deepEqual(there([new Float(2), 2]), [2, 2]);
  assert.deepEqual(there([new Float(2), 2], true), [new Float(2), 2]);
});

test("an int beyond 2^53 is a bigint, and a small bigint an int", () => {
  assert.equal(there(2n ** 53n), 2n ** 53n);
  assert.equal(there(-(2n ** 70n)), -(2n ** 70n));
  assert.equal(there(7n), 7);
});

test("dicts are Maps, also those of plain objects, in their order", () => {
  assert.deepEqual([...(there({ b: 1, a: [1.5] }) as Map<string, unknown>)], [["b", 1], ["a", [1.5]]]);
  assert.equal(kindOf(new Map([[1, 2]])), "mapValue");
  assert.equal(kindOf(Object.create(null)), "stringMap");
});

test("a property that is undefined is left out; undefined anywhere else is refused", () => {
  assert.deepEqual(there({ a: undefined, b: null }), new Map([["b", null]]));
  assert.match(problemOf([1, undefined]), /^args\[0\]\[1\]: undefined has no Value form/);
  assert.match(problemOf(undefined), /^args\[0\]: undefined/);
  assert.match(problemOf(new Map([["a", undefined]])), /^args\[0\]\['a'\]: undefined/);
});

test("a refusal names the place and what to use", () => {
  assert.match(problemOf({ models: [1, new (class Model { size = 1; })()] }), /^args\[0\]\['models'\]\[1\]: a Model has no Value form/);
  assert.match(problemOf(() => 1), /^args\[0\]: a function/);
  assert.match(problemOf(Symbol("s")), /a symbol/);
  assert.match(problemOf(Promise.resolve(1)), /await it/);
  assert.match(problemOf(new ArrayBuffer(1)), /use a Uint8Array/);
  assert.match(problemOf(new Date(NaN)), /no valid date/);
  assert.match(problemOf(new Map([[{}, new WeakMap()]])), /\[<Object>\]: a WeakMap/);
  assert.match(problemOf(new PythonRecord("m:C", { x: undefined })), /^args\[0\]\.x: undefined/);
});

test("a value that holds itself is refused with both places", () => {
  const list: unknown[] = [1];
  const holder = { list };
  list.push(holder);
  assert.match(problemOf(holder), /^args\[0\]\['list'\]\[1\]: the value holds itself: this is args\[0\] again$/);
});

test("too deep a value is refused, one of 100 levels is not", () => {
  const deep = (levels: number): unknown => (levels ? [deep(levels - 1)] : 1);
  assert.doesNotThrow(() => there(deep(100)));
  assert.match(problemOf(deep(101)), /nested more than 100 levels deep/);
});

test("typed arrays are arrays, a Uint8Array is bytes", () => {
  const tensor = there(new Float64Array([1, 2])) as Tensor;
  assert.deepEqual([tensor.dtype, tensor.shape, tensor.data], ["float64", [2], new Float64Array([1, 2])]);
  assert.deepEqual(there(new Uint8Array([1])), new Uint8Array([1]));
  assert.deepEqual(there(Buffer.from([1])), new Uint8Array([1]));
  assert.throws(() => new Tensor(new Float64Array(3), [2, 2]), /takes 32 bytes, and has 24/);
  const part = new Float32Array([0, 1, 2]).subarray(1); // a view into a larger buffer
  assert.deepEqual((there(part) as Tensor).data, new Float32Array([1, 2]));
});

test("decoded bytes are their own, and not a view of the message", () => {
  const bytes = there(new Uint8Array([1, 2])) as Uint8Array;
  assert.equal(bytes.buffer.byteLength, 2);
});

test("a Date is an aware datetime, and back", () => {
  const date = new Date("2024-02-29T12:30:00.123Z");
  const made = there(date) as DateTime;
  assert.equal(String(made), "2024-02-29T12:30:00.123000Z");
  assert.deepEqual(made.toDate(), date);
  assert.throws(() => new DateTime(made.date).toDate(), /naive/);
});

test("a moment with an offset and microseconds is the right Date", () => {
  const zone = new TimeZone(new TimeDelta(0, 3600), "Europe/Paris");
  const moment = new DateTime(new CalendarDate(1, 1, 2), new TimeOfDay(0, 30, 0, 999_999, zone, true));
  assert.deepEqual(there(moment), moment);
  assert.equal(String(moment), "0001-01-02T00:30:00.999999+01:00[Europe/Paris]");
  assert.equal(moment.toDate().toISOString(), "0001-01-01T23:30:00.999Z");
});

test("timedeltas are normalized and written as ISO 8601", () => {
  const { days, seconds, microseconds } = new TimeDelta(0, -1);
  assert.deepEqual([days, seconds, microseconds], [-1, 86399, 0]);
  assert.equal(String(new TimeDelta(0, -1)), "-PT1S");
  assert.equal(String(new TimeDelta(1, 2, 500_000)), "P1DT2.5S");
  assert.equal(TimeDelta.fromMilliseconds(1.5).milliseconds, 1.5);
});

test("tuples are arrays that stay tuples", () => {
  const pair = there(Tuple.of(3, "x")) as Tuple;
  const [three, text] = pair;
  assert.ok(Array.isArray(pair) && pair instanceof Tuple);
  assert.deepEqual([three, text, pair.map(String)], [3, "x", ["3", "x"]]);
  assert.deepEqual(Tuple.of(3).length, 1);
});

test("sets and frozensets", () => {
  assert.deepEqual(there(new Set([1, "a"])), new Set([1, "a"]));
  const frozen = there(new FrozenSet([Tuple.of(1)])) as FrozenSet;
  assert.ok(frozen instanceof FrozenSet);
  assert.throws(() => frozen.add(), /cannot be changed/);
});

test("text with lone surrogates goes and comes", () => {
  for (const text of ["\udcff", "a\ud800b🐍\udfff", "\ufeffbom"]) assert.equal(there(text), text);
  assert.equal(there(new Map([["\udcff", 1]])) instanceof Map, true);
});

test("decimals, UUIDs and complex numbers say what they are", () => {
  assert.equal(String(there(new Decimal("1.50"))), "1.50");
  assert.equal(new Decimal("-Infinity").toNumber(), -Infinity);
  assert.throws(() => new Decimal("1_0"), RangeError);
  assert.throws(() => new Uuid("x"), RangeError);
  assert.equal(String(new Complex(1.5, -0)), "1.5-0j");
});

test("plain() makes objects, arrays and numbers of what Python sent, without harm from its keys", () => {
  const value = there({ a: [new Map([["__proto__", Tuple.of(1)]])], r: new PythonRecord("m:C", { x: new Set([1]) }) });
  const made = plain<{ a: [object]; r: unknown }>(value);
  assert.deepEqual(Object.entries(made.a[0]), [["__proto__", [1]]]);
  assert.deepEqual(made.r, { x: [1] });
});
