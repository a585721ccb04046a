/** Statuses as errors, and how those are printed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { PythonException } from "../gen/callgate/v1/failure.js";
import { ErrorInfo, RetryInfo } from "../gen/google/rpc/error_details.js";
import type { Status } from "../gen/google/rpc/status.js";
import { errorFromStatus } from "../src/failures.js";
import { GateError, PythonError } from "../src/index.js";
import { parse } from "../src/values/wire.js";

function exception(type: string, more: Partial<PythonException> = {}): PythonException {
  return { ...parse(PythonException, new Uint8Array()), type, module: "builtins", message: `it is a ${type}`, ...more };
}

function statusOf(code: number, ...details: readonly (readonly [string, Uint8Array])[]): Status {
  const packed = details.map(([name, value]) => ({ typeUrl: `type.googleapis.com/${name}`, value }));
  return { code, message: "said so", details: packed };
}

function raised(remote: PythonException): PythonError {
  const error = errorFromStatus(statusOf(2, ["callgate.v1.PythonException", PythonException.encode(remote).finish()]), {});
  assert.ok(error instanceof PythonError);
  return error;
}

test("a status without details is a GateError by its code", () => {
  const error = errorFromStatus(statusOf(14), {});
  assert.ok(error instanceof GateError && !(error instanceof PythonError));
  assert.deepEqual([error.code, error.reason, error.message, error.retryAfterMs], ["UNAVAILABLE", "", "said so", undefined]);
});

test("reason, metadata and the time to wait come along", () => {
  const info = { reason: "OVERLOADED", domain: "callgate", metadata: new Map([["a", "b"]]) };
  const retry = { retryDelay: { seconds: 1n, nanos: 500_000_000 } };
  const error = errorFromStatus(
    statusOf(8, ["google.rpc.ErrorInfo", ErrorInfo.encode(info).finish()], ["google.rpc.RetryInfo", RetryInfo.encode(retry).finish()]),
    {},
  );
  assert.ok(error instanceof GateError);
  assert.deepEqual([error.reason, error.metadata, error.retryAfterMs], ["OVERLOADED", { a: "b" }, 1500]);
});

test("another domain's reason is not Callgate's, and a broken detail is none", () => {
  const info = { reason: "OVERLOADED", domain: "elsewhere", metadata: new Map() };
  const error = errorFromStatus(
    statusOf(8, ["google.rpc.ErrorInfo", ErrorInfo.encode(info).finish()], ["callgate.v1.PythonException", new Uint8Array([255])]),
    {},
  );
  assert.ok(error instanceof GateError);
  assert.equal(error.reason, "");
});

test("the cause is the real cause, a group's members are its errors", () => {
  const error = raised(
    exception("ExceptionGroup", {
      cause: exception("KeyError", { args: [{ kind: { $case: "intValue", value: 7n } }] }),
      context: exception("OSError"),
      exceptions: [exception("ValueError"), exception("TypeError")],
    }),
  );
  assert.ok(error instanceof Error && error.cause instanceof PythonError);
  assert.deepEqual([error.cause.type, error.cause.args, error.context?.type], ["KeyError", [7], "OSError"]);
  assert.deepEqual(error.errors?.map((member) => member.type), ["ValueError", "TypeError"]);
  assert.equal(raised(exception("ValueError")).cause, undefined);
});

test("a context alone is no cause, and is told", () => {
  const error = raised(exception("ValueError", { context: exception("OSError") }));
  assert.equal(error.cause, undefined);
  assert.match(inspect(error), /raised while handling OSError: it is a OSError/);
});

test("an error is printed with the remote traceback, notes and cause", () => {
  const frames = [{ file: "/srv/shop.py", line: 12, function: "sell", source: "raise NoSuchItem(7)", repeated: 2 }];
  const cause = exception("KeyError");
  const printed = inspect(raised(exception("NoSuchItem", { module: "shop", frames, notes: ["item 7"], cause })));
  assert.match(printed, /^PythonError \[shop\.NoSuchItem\]: it is a NoSuchItem\n {4}item 7\n {2}Remote traceback/);
  assert.match(printed, /File "\/srv\/shop\.py", line 12, in sell\n\s+raise NoSuchItem\(7\)\n\s+\[the frame above repeated 2/);
  assert.match(printed, /failures\.test\.js/); // where it was thrown here
  assert.match(printed, /\[cause\]: PythonError \[KeyError\]/);
});

test("isA knows the class and its builtin bases", () => {
  const error = raised(exception("NoSuchItem", { module: "shop", builtinBases: ["LookupError", "Exception"] }));
  assert.ok(error.isA("shop.NoSuchItem") && error.isA("LookupError") && !error.isA("ValueError"));
  assert.equal(error.pythonType, "shop.NoSuchItem");
});

test("a long chain of causes is told to its end", () => {
  let remote = exception("KeyError");
  for (let i = 0; i < 60; i++) remote = exception("ValueError", { cause: remote });
  let error: unknown = raised(remote);
  while (error instanceof Error && error.cause !== undefined) error = error.cause;
  assert.equal((error as PythonError).type, "KeyError");
});
