/** The runner's requests, and values and failures as they cross; tests/conformance/README.md says what each means. */

import { decode, encode, GateError, PythonError } from "../src/index.js";
import { Value } from "../gen/callgate/v1/value.js";

/** A request, as it is read; each operation takes what it needs. */
export interface Request {
  readonly id: unknown;
  readonly op: string;
  readonly gate: string;
  readonly target: string;
  readonly tls_ca?: string | null;
  readonly tls_certificate?: string | null;
  readonly tls_key?: string | null;
  readonly token?: string | null;
  readonly value: string;
  readonly module: string;
  readonly function: string;
  readonly args?: readonly string[];
  readonly kwargs?: Readonly<Record<string, string>>;
  readonly timeout?: number | null;
  readonly call_timeout?: number | null;
  readonly cancel_after?: number | null;
  readonly take?: number | null;
  readonly calls: unknown;
  readonly callers: number;
  readonly seconds: number;
  readonly what: string;
}

/** An answer's keys, beside the id. */
export type Answer = Record<string, unknown>;

/** A value as its Value's bytes. */
export function toHex(value: unknown): string {
  return Buffer.from(Value.encode(encode(value)).finish()).toString("hex");
}

/** The value of a Value's bytes, floats kept apart from ints. */
export function fromHex(text: string): unknown {
  return decode(new Uint8Array(Buffer.from(text, "hex")), { exact: true });
}

/** The arguments of a request's call. */
export function argumentsOf(call: Pick<Request, "args" | "kwargs">): {
  args: unknown[];
  kwargs: Map<string, unknown>;
} {
  const kwargs = new Map(Object.entries(call.kwargs ?? {}).map(([name, hex]) => [name, fromHex(hex)]));
  return { args: (call.args ?? []).map(fromHex), kwargs };
}

/** A failure's object. */
export function failureOf(error: unknown): Answer {
  const failure: Answer = {
    class: error instanceof Error ? error.name : typeof error,
    raised: error instanceof PythonError,
    code: "",
    reason: "",
    message: error instanceof Error ? error.message : String(error),
    metadata: {},
    retry_after: null,
    call_id: "",
    exception: null,
  };
  if (error instanceof PythonError || error instanceof GateError) {
    const { code, reason, metadata, callId: call_id } = error;
    Object.assign(failure, { code, reason, metadata, call_id });
  }
  if (error instanceof PythonError) failure.exception = exceptionOf(error);
  if (error instanceof GateError && error.retryAfterMs !== undefined) failure.retry_after = error.retryAfterMs / 1000;
  return failure;
}

function exceptionOf(error: unknown): Answer | null {
  if (!(error instanceof PythonError)) return null;
  return {
    type: error.type,
    module: error.module,
    qualname: error.qualname,
    message: error.message,
    args: error.args.map(toHex),
    notes: error.notes,
    frames: error.frames.map(({ file, line, function: name, source }) => ({ file, line, function: name, source })),
    cause: exceptionOf(error.cause),
    context: exceptionOf(error.context),
    suppress_context: error.suppressContext,
    exceptions: (error.errors ?? []).map(exceptionOf),
    builtin_bases: error.builtinBases,
    truncated: error.truncated,
    attributes: Object.fromEntries(Array.from(error.attributes, ([name, value]) => [name, toHex(value)])),
  };
}
