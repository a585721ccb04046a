/** Streams against a real server. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { connect, type Gate, GateError, PythonError } from "../src/index.js";
import { inClone, serve, type Server, TARGETS } from "./server.js";

const LIMIT = { timeout: 30_000 };
const FUNCTIONS = "conformance_functions";
const EVENTS = "conformance_events";

let server: Server;
let gate: Gate;

before(async () => {
  const events = inClone("tests/conformance/functions/conformance_events.py");
  server = await serve(["--executor", "threads"], [...TARGETS, events]);
  gate = await connect(server.target);
});

after(async () => {
  gate.close();
  await server.stop();
});

test("items come in order", LIMIT, async () => {
  const items: number[] = [];
  for await (const item of gate.stream<number>(FUNCTIONS, "count", 1000)) items.push(item);
  assert.deepEqual(items, Array.from({ length: 1000 }, (_, n) => n));
});

test("leaving the loop closes the generator on the server", LIMIT, async () => {
  for await (const item of gate.stream<number>(FUNCTIONS, "endless", "ts left")) if (item === 3) break;
  assert.equal(await gate.call(EVENTS, "wait", "ts left closed", 20), true);
});

test("an exception comes after the items before it", LIMIT, async () => {
  const items: unknown[] = [];
  await assert.rejects(async () => {
    for await (const item of gate.stream(FUNCTIONS, "count_then_fail", 40)) items.push(item);
  }, (error) => error instanceof PythonError && error.isA("LookupError"));
  assert.equal(items.length, 40);
});

test("closing ends an item that is waited for, without an error", LIMIT, async () => {
  const stream = gate.stream(FUNCTIONS, "first_then_hold", "ts held");
  assert.deepEqual(await stream.next(), { done: false, value: "first" });
  const second = stream.next();
  stream.close();
  assert.deepEqual(await second, { done: true, value: undefined });
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
  assert.equal(await gate.call(EVENTS, "wait", "ts held closed", 20), true);
});

test("a signal and a deadline end it with an error", LIMIT, async () => {
  const abort = new AbortController();
  const stream = gate.streamWith(FUNCTIONS, "first_then_hold", { args: ["ts signal"], signal: abort.signal });
  await stream.next();
  const second = stream.next();
  abort.abort();
  await assert.rejects(second, (error) => error instanceof GateError && error.code === "CANCELLED");
  const late = gate.streamWith(FUNCTIONS, "first_then_hold", { args: ["ts deadline"], timeoutMs: 2000 });
  await late.next();
  await assert.rejects(late.next(), (error) => error instanceof GateError && error.code === "DEADLINE_EXCEEDED");
});

test("two that ask at once get two items, in order", LIMIT, async () => {
  const stream = gate.stream(FUNCTIONS, "count", 3);
  const results = await Promise.all([stream.next(), stream.next(), stream.next(), stream.next()]);
  assert.deepEqual(results.map(({ value }) => value), [0, 1, 2, undefined]);
});

test("what is no stream says so", LIMIT, async () => {
  await assert.rejects(gate.stream("math", "sqrt", 1).next(), (error) => {
    return error instanceof GateError && error.reason === "WRONG_METHOD";
  });
});

test("a stream that nobody reads is never started", LIMIT, async () => {
  gate.stream(FUNCTIONS, "endless", "ts unread").close();
  assert.equal(await gate.call(EVENTS, "times", "ts unread closed"), 0);
});
