/** Many calls: batch, map, submit; and 64 callers at once, each of which gets its own answers. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { bySubmit, byCall, concurrent } from "../runner/concurrent.js";
import { connect, type Gate, GateError, PythonError, ValueFormError } from "../src/index.js";
import { inClone, serve, type Server, TARGETS } from "./server.js";

const LIMIT = { timeout: 60_000 };
const LONG = { timeout: 300_000 };
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

async function all<T>(results: AsyncIterable<T>): Promise<T[]> {
  const made: T[] = [];
  for await (const result of results) made.push(result);
  return made;
}

test("a batch's outcomes are as Promise.allSettled gives them", LIMIT, async () => {
  const [root, lost, raised] = await gate.batch([
    { module: "math", function: "sqrt", args: [16] },
    { module: "math", function: "nope" },
    { module: FUNCTIONS, function: "boom", kwargs: {} },
  ]);
  assert.deepEqual(root, { status: "fulfilled", value: 4 });
  assert.ok(lost?.status === "rejected" && lost.reason instanceof GateError);
  assert.ok(raised?.status === "rejected" && raised.reason instanceof PythonError);
  assert.deepEqual(await gate.batch([]), []);
  await assert.rejects(gate.batch([{ module: "math", function: "sqrt", args: [undefined] }]), /calls\[0\]: args\[0\]/);
});

test("map gives results in order, of arrays and of asynchronous iterables", LIMIT, async () => {
  const numbers = Array.from({ length: 5000 }, (_, n) => n);
  const right = numbers.map((n) => -n);
  async function* given(): AsyncGenerator<number> {
    for (const n of numbers) yield await Promise.resolve(n);
  }
  const negative = (items: Iterable<number> | AsyncIterable<number>): Promise<unknown[]> =>
    all(gate.map(FUNCTIONS, "echo", items));
  assert.deepEqual(await negative(right), right);
  assert.deepEqual(await negative(given()), numbers);
  assert.deepEqual(await negative([]), []);
});

test("map with unpack, and with a chunk", LIMIT, async () => {
  const sums = await all(gate.map(FUNCTIONS, "add", [[1, 2], [3], [4, 5]], { unpack: true, chunk: 2 }));
  assert.deepEqual(sums, [3, 4, 9]);
  assert.throws(() => gate.map(FUNCTIONS, "add", [], { chunk: 0 }), RangeError);
});

test("map throws a failure in its place, or settles it", LIMIT, async () => {
  const items = [[1, 2], [1, 0], [undefined, 1], [9, 3]];
  const made: unknown[] = [];
  await assert.rejects(async () => {
    for await (const one of gate.map(FUNCTIONS, "divide", items, { unpack: true })) made.push(one);
  }, PythonError);
  assert.deepEqual(made, [0.5]);
  const settled = await all(gate.map(FUNCTIONS, "divide", items, { unpack: true, settled: true }));
  assert.deepEqual(settled.map(({ status }) => status), ["fulfilled", "rejected", "rejected", "fulfilled"]);
  assert.ok(settled[2]?.status === "rejected" && settled[2].reason instanceof ValueFormError);
});

test("map tells what its iterable throws after the results before it", LIMIT, async () => {
  function* broken(): Generator<number> {
    yield 1;
    throw new Error("no more");
  }
  const made: unknown[] = [];
  await assert.rejects(async () => {
    for await (const one of gate.map(FUNCTIONS, "echo", broken())) made.push(one);
  }, /no more/);
  assert.deepEqual(made, [1]);
});

test("an endless map is read no further than need be, and closed when it is left", LIMIT, async () => {
  let read = 0;
  let closed = false;
  function* endless(): Generator<number> {
    try {
      for (;;) yield read++;
    } finally {
      closed = true;
    }
  }
  for await (const one of gate.map(FUNCTIONS, "echo", endless())) if (one === 10) break;
  assert.ok(closed);
  assert.ok(read < 5000, String(read));
});

test("the whole map's deadline ends it", LIMIT, async () => {
  const slow = gate.map(FUNCTIONS, "until_cancelled", ["ts map"], { timeoutMs: 200 });
  await assert.rejects(all(slow), (error) => error instanceof GateError && error.code === "DEADLINE_EXCEEDED");
});

test("submitted calls share batches, and each gets its own answer", LIMIT, async () => {
  const made = await Promise.all(Array.from({ length: 3000 }, (_, n) => gate.submit(FUNCTIONS, "echo", n)));
  assert.deepEqual(made, Array.from({ length: 3000 }, (_, n) => n));
  const mixed = await Promise.allSettled([gate.submit("math", "sqrt", 4), gate.submit("math", "sqrt", -1)]);
  assert.deepEqual(mixed.map(({ status }) => status), ["fulfilled", "rejected"]);
});

test("a slow submitted call holds up no later one", LIMIT, async () => {
  const slow = gate.submit(FUNCTIONS, "hold", "ts slow", "done");
  assert.equal(await gate.submit(EVENTS, "wait", "ts slow started", 20), true);
  assert.equal(await gate.submit("math", "sqrt", 16), 4);
  await gate.submit(EVENTS, "signal", "ts slow");
  assert.equal(await slow, "done");
});

test("a submitted call has its own deadline and signal", LIMIT, async () => {
  const late = gate.submitWith(FUNCTIONS, "until_cancelled", { args: ["ts submit"], timeoutMs: 100 });
  await assert.rejects(late, (error) => error instanceof GateError && error.code === "DEADLINE_EXCEEDED");
  const abort = new AbortController();
  const call = gate.submitWith(FUNCTIONS, "until_cancelled", { args: ["ts submit 2"], signal: abort.signal });
  assert.equal(await gate.call(EVENTS, "wait", "ts submit 2 started", 20), true);
  abort.abort();
  await assert.rejects(call, (error) => error instanceof GateError && error.code === "CANCELLED");
  assert.equal(await gate.call(EVENTS, "wait", "ts submit 2 cancelled", 20), true);
});

for (const [how, by] of [["call", byCall], ["submit", bySubmit]] as const) {
  test(`64 callers with 1,000 mixed calls each by ${how}: no answer is another caller's`, LONG, async () => {
    assert.deepEqual(await concurrent(64, 1000, by(gate)), { made: 64_000, wrong: [] });
  });
}
