/** Calls against a real server: arguments, results, both kinds of error, deadlines, cancellation, closing. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { connect, Float, type Gate, GateError, PythonError, ValueFormError } from "../src/index.js";
import { serve, type Server, TARGETS, inClone } from "./server.js";

const LIMIT = { timeout: 30_000 };
const FUNCTIONS = "conformance_functions";
const EVENTS = "conformance_events";

let server: Server;
let gate: Gate;

before(async () => {
  // The events on threads of their own, so that they are reached while a function runs.
  const events = inClone("tests/conformance/functions/conformance_events.py");
  server = await serve(["--executor", "threads"], [...TARGETS, events]);
  gate = await connect(server.target, { token: "" });
});

after(async () => {
  gate.close();
  await server.stop();
});

async function failure(call: Promise<unknown>): Promise<GateError> {
  const error: unknown = await call.then(
    (value) => assert.fail(`it returned ${String(value)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof GateError, String(error));
  return error;
}

test("a call with positional and keyword arguments", LIMIT, async () => {
  assert.equal(await gate.call<number>("math", "sqrt", 16), 4);
  assert.equal(await gate.callWith(FUNCTIONS, "add", { args: [1], kwargs: { right: 2 } }), 3);
  assert.equal(await gate.callWith(FUNCTIONS, "add", { args: [1], kwargs: { right: undefined } }), 2);
  assert.equal(await gate.callWith(FUNCTIONS, "größe", { kwargs: new Map([["länge", new Float(2)]]) }), 4);
});

test("a module's methods are its functions, with types of the caller's", LIMIT, async () => {
  const math = gate.module<{ sqrt(x: number): number; gcd(...of: number[]): number }>("math");
  const root: number = await math.sqrt(16);
  assert.deepEqual([root, await math.gcd(12, 18)], [4, 6]);
  assert.equal(await Promise.resolve(math), math); // it can be awaited without calling anything
});

test("what the function raised is a PythonError whose stack shows both sides", LIMIT, async () => {
  async function ask(): Promise<void> {
    await gate.call(FUNCTIONS, "divide", 1, 0);
  }
  const error: unknown = await ask().catch((reason: unknown) => reason);
  assert.ok(error instanceof PythonError);
  assert.ok(error.isA("ZeroDivisionError"));
  assert.deepEqual([error.code, error.reason], ["UNKNOWN", "FUNCTION_RAISED"]);
  assert.notEqual(error.callId, "");
  assert.match(error.stack ?? "", /conformance_functions\.py", line \d+, in divide/);
  assert.match(error.stack ?? "", /async ask .*calls\.test\.js/);
});

test("an exception that fills the metadata arrives, cut", LIMIT, async () => {
  const error: unknown = await gate.call(FUNCTIONS, "fail_with_much").catch((reason: unknown) => reason);
  assert.ok(error instanceof PythonError);
  assert.equal(error.truncated, true);
  assert.equal(error.type, "ExceptionGroup");
});

test("no such function is a GateError with its reason", LIMIT, async () => {
  const error = await failure(gate.call("math", "sqroot", 1));
  assert.deepEqual([error.code, error.reason, error.metadata.function], ["NOT_FOUND", "FUNCTION_NOT_FOUND", "sqroot"]);
});

test("a bad argument is refused before anything is sent, with its place", LIMIT, async () => {
  await assert.rejects(gate.call("math", "sqrt", [undefined]), (error) => {
    return error instanceof ValueFormError && error.path === "args[0][0]";
  });
  await assert.rejects(gate.callWith("math", "sqrt", { kwargs: { x: Symbol("s") } }), /^ValueFormError: kwargs\['x'\]/);
  await assert.rejects(gate.call("math\ud800", "sqrt"), TypeError);
  await assert.rejects(gate.callWith("math", "sqrt", { args: "16" }), TypeError);
});

test("a deadline ends the call, on the server as well", LIMIT, async () => {
  const error = await failure(gate.callWith(FUNCTIONS, "until_cancelled", { args: ["ts late"], timeoutMs: 2000 }));
  assert.equal(error.code, "DEADLINE_EXCEEDED");
  assert.equal(await gate.call(EVENTS, "wait", "ts late cancelled", 20), true);
});

test("a deadline that has passed sends nothing", LIMIT, async () => {
  const error = await failure(gate.callWith(FUNCTIONS, "leave_trace", { args: ["ts zero"], timeoutMs: 0 }));
  assert.deepEqual([error.code, error.reason], ["DEADLINE_EXCEEDED", "EXPIRED_IN_QUEUE"]);
  assert.equal(await gate.call(EVENTS, "times", "ts zero ran"), 0);
});

test("a timeout that is none is refused", LIMIT, async () => {
  await assert.rejects(gate.callWith("math", "sqrt", { args: [1], timeoutMs: -1 }), RangeError);
  await assert.rejects(gate.callWith("math", "sqrt", { args: [1], timeoutMs: NaN }), RangeError);
  assert.equal(await gate.callWith("math", "sqrt", { args: [16], timeoutMs: Infinity }), 4);
  assert.equal(await gate.callWith("math", "sqrt", { args: [16], timeoutMs: 1e300 }), 4);
});

test("an AbortSignal cancels the call, on the server as well; its reason is the cause", LIMIT, async () => {
  const abort = new AbortController();
  const call = gate.callWith(FUNCTIONS, "until_cancelled", { args: ["ts abort"], signal: abort.signal });
  assert.equal(await gate.call(EVENTS, "wait", "ts abort started", 20), true);
  abort.abort(new Error("enough"));
  const error = await failure(call);
  assert.deepEqual([error.code, (error.cause as Error).message], ["CANCELLED", "enough"]);
  assert.equal(await gate.call(EVENTS, "wait", "ts abort cancelled", 20), true);
});

test("a signal that has aborted sends nothing", LIMIT, async () => {
  const error = await failure(gate.callWith(FUNCTIONS, "leave_trace", { args: ["ts no"], signal: AbortSignal.abort() }));
  assert.match(error.message, /never started/);
  assert.equal(await gate.call(EVENTS, "times", "ts no ran"), 0);
});

test("calls beyond inFlight wait in order, until their deadline or signal", LIMIT, async () => {
  const narrow = await connect(server.target, { inFlight: 1 });
  const held = narrow.call(FUNCTIONS, "hold", "ts narrow", 1);
  assert.equal(await gate.call(EVENTS, "wait", "ts narrow started", 20), true);
  const abort = new AbortController();
  const late = failure(narrow.callWith("math", "sqrt", { args: [1], timeoutMs: 50 }));
  const aborted = failure(narrow.callWith("math", "sqrt", { args: [1], signal: abort.signal }));
  const patient = narrow.call("math", "sqrt", 16);
  abort.abort();
  assert.match((await late).message, /inFlight/);
  assert.match((await aborted).message, /never started/);
  await gate.call(EVENTS, "signal", "ts narrow");
  assert.deepEqual([await held, await patient], [1, 4]);
  narrow.close();
});

test("closing a Gate ends its calls, those that wait as well; a closed one says so", LIMIT, async () => {
  const closing = await connect(server.target, { inFlight: 1 });
  const held = failure(closing.call(FUNCTIONS, "until_cancelled", "ts closing"));
  assert.equal(await gate.call(EVENTS, "wait", "ts closing started", 20), true);
  const waiting = failure(closing.call("math", "sqrt", 1));
  closing.close();
  closing.close();
  assert.match((await held).message, /closed while the call was on its way/);
  assert.match((await waiting).message, /closed; the call never started/);
  assert.match((await failure(closing.call("math", "sqrt", 1))).message, /closed/);
  assert.equal(await gate.call(EVENTS, "wait", "ts closing cancelled", 20), true);
});

test("an exact Gate keeps 2.0 apart from 2", LIMIT, async () => {
  const exact = await connect(server.target, { exact: true });
  assert.deepEqual(await exact.call(FUNCTIONS, "echo", [new Float(2), 2]), [new Float(2), 2]);
  assert.deepEqual(await gate.call(FUNCTIONS, "echo", [new Float(2), 2]), [2, 2]);
  exact.close();
});

test("too large a request is refused here, with the numbers", LIMIT, async () => {
  const small = await connect(server.target, { maxMessage: 1000 });
  const error = await failure(small.call(FUNCTIONS, "size_of", new Uint8Array(2000)));
  assert.deepEqual([error.reason, error.metadata.limit], ["REQUEST_TOO_LARGE", "1000"]);
  const answer = await failure(small.call(FUNCTIONS, "sized", 5000));
  assert.deepEqual([answer.code, answer.reason], ["RESOURCE_EXHAUSTED", "RESPONSE_TOO_LARGE"]);
  small.close();
});

test("functions, one function, health", LIMIT, async () => {
  const found = await gate.functions("math");
  const sqrt = found.find((one) => one.function === "sqrt");
  assert.ok(sqrt);
  assert.deepEqual(sqrt, await gate.function("math", "sqrt"));
  assert.deepEqual([sqrt.signature, sqrt.kind, sqrt.parameters[0]?.kind], ["(x, /)", "function", "positional-only"]);
  assert.ok((await gate.functions()).length > found.length);
  assert.equal((await failure(gate.function("math", "nope"))).reason, "FUNCTION_NOT_FOUND");
  assert.deepEqual([await gate.health(), await gate.health("nope")], ["SERVING", "SERVICE_UNKNOWN"]);
});
