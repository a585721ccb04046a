/** A failed RPC, or a failed call of a batch, as the error to throw. */

import type { ServiceError } from "@grpc/grpc-js";
import { status as GrpcStatus } from "@grpc/grpc-js";

import { PythonException } from "../gen/callgate/v1/failure.js";
import type { Any } from "../gen/google/protobuf/any.js";
import { ErrorInfo, RetryInfo } from "../gen/google/rpc/error_details.js";
import { Status } from "../gen/google/rpc/status.js";
import { type CallgateError, GateError } from "./errors.js";
import { type FailureContext, PythonError } from "./python_error.js";
import { decode, type DecodeOptions } from "./values/decode.js";
import { type MessageType, parse } from "./values/wire.js";

const DOMAIN = "callgate";
// Causes, contexts and members together are a tree; the server's own limit is far below, and a stack has an end.
const MOST_EXCEPTIONS = 100;

/** A canonical code's name: "NOT_FOUND" for 5. */
export function codeName(code: number): string {
  return GrpcStatus[code] ?? "UNKNOWN";
}

function unpack<T>(details: readonly Any[], name: string, type: MessageType<T>): T | undefined {
  for (const { typeUrl, value } of details) {
    if (!typeUrl.endsWith(`/${name}`)) continue;
    try {
      return parse(type, value);
    } catch {
      continue; // a detail that is not what it says is none
    }
  }
  return undefined;
}

/** The error of a status: a PythonError if the function raised, else a GateError. */
export function errorFromStatus(status: Status, options: DecodeOptions, callId = ""): CallgateError {
  const code = codeName(status.code);
  const found = unpack(status.details, "google.rpc.ErrorInfo", ErrorInfo);
  const info = found?.domain === DOMAIN ? found : undefined;
  const metadata: Record<string, string> = Object.fromEntries(info?.metadata ?? []);
  const failure = { code, reason: info?.reason ?? "", metadata, callId: callId || (metadata.call_id ?? "") };
  const exception = unpack(status.details, "callgate.v1.PythonException", PythonException);
  if (exception) return rebuild(exception, failure, options, { left: MOST_EXCEPTIONS });
  const delay = unpack(status.details, "google.rpc.RetryInfo", RetryInfo)?.retryDelay;
  const retryAfterMs = delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6;
  return new GateError(status.message || code, { ...failure, retryAfterMs });
}

function rebuild(
  exception: PythonException,
  failure: FailureContext,
  options: DecodeOptions,
  budget: { left: number },
): PythonError {
  budget.left -= 1;
  const inner = (one: PythonException | undefined): PythonError | undefined =>
    one && budget.left > 0 ? rebuild(one, failure, options, budget) : undefined;
  let { argsOmitted } = exception;
  let args: unknown[] = [];
  try {
    args = exception.args.map((value) => decode(value, options));
  } catch {
    argsOmitted = true;
  }
  const attributes = new Map<string, unknown>();
  for (const [name, value] of exception.attributes) {
    try {
      attributes.set(name, decode(value, options));
    } catch {
      continue; // a newer server's kind: the exception itself matters more
    }
  }
  return new PythonError(
    {
      ...exception,
      args,
      argsOmitted,
      attributes,
      cause: inner(exception.cause),
      context: inner(exception.context),
      errors: exception.exceptions.map(inner).filter((member) => member !== undefined),
    },
    failure,
  );
}

/** The error of a failed RPC: from its rich status if it has one, else from its code. */
export function errorFromRpc(
  error: ServiceError,
  options: DecodeOptions,
  unreachable: (details: string) => string,
): CallgateError {
  const [callId] = error.metadata.get("callgate-call-id");
  const [rich] = error.metadata.get("grpc-status-details-bin");
  const id = typeof callId === "string" ? callId : "";
  if (rich instanceof Buffer) {
    try {
      const status = parse(Status, rich);
      // Else somebody on the way, a proxy, changed the answer: the code counts.
      if (codeName(status.code) === codeName(error.code)) return errorFromStatus(status, options, id);
    } catch {
      // Not from Callgate: the code has to do.
    }
  }
  const code = codeName(error.code);
  if (error.code === GrpcStatus.DEADLINE_EXCEEDED) {
    return new GateError("the deadline passed before an answer came", { code, callId: id });
  }
  if (error.code === GrpcStatus.UNAVAILABLE) {
    return new GateError(unreachable(error.details), { code, callId: id });
  }
  return tooLargeOnTheWay(error.details, code) ?? new GateError(error.details || code, { code, callId: id });
}

// How gRPC itself refuses a message, on either side: "SERVER: Received message larger than max (1048603 vs. 1048576)".
const REFUSED = /(SERVER)?:? ?[Rr]eceived message larger than max \((\d+) vs\.? (\d+)\)/;

function tooLargeOnTheWay(details: string, code: string): GateError | undefined {
  const [, side, size, limit] = REFUSED.exec(details) ?? [];
  if (size === undefined || limit === undefined || code !== "RESOURCE_EXHAUSTED") return undefined;
  const metadata = { size, limit, unit: "bytes" };
  return side === "SERVER"
    ? new GateError(`the request is ${size} bytes; the server takes at most ${limit}`, {
        code,
        reason: "REQUEST_TOO_LARGE",
        metadata,
      })
    : new GateError(`the answer is ${size} bytes; this client takes at most ${limit} (maxMessage)`, {
        code,
        reason: "RESPONSE_TOO_LARGE",
        metadata,
      });
}

/** The error of a request that this side already knows to be too large. */
export function requestTooLarge(size: number, limit: number): GateError {
  return new GateError(`the request is ${String(size)} bytes; this client sends at most ${String(limit)} (maxMessage)`, {
    code: "RESOURCE_EXHAUSTED",
    reason: "REQUEST_TOO_LARGE",
    metadata: { size: String(size), limit: String(limit), unit: "bytes" },
  });
}

/** The error of a call whose deadline passed in this client. */
export function expired(where: string): GateError {
  return new GateError(`the deadline passed ${where}; it never started`, {
    code: "DEADLINE_EXCEEDED",
    reason: "EXPIRED_IN_QUEUE",
  });
}

/** The error of a call that an AbortSignal ended; its reason is the cause. */
export function aborted(signal: AbortSignal, started: boolean): GateError {
  const what = started ? "the call was cancelled; the function may have run" : "the call was cancelled; it never started";
  return new GateError(what, { code: "CANCELLED", cause: signal.reason as unknown });
}

/** The error of using a closed Gate. */
export function closed(): GateError {
  return new GateError("this Gate is closed; the call never started", { code: "CANCELLED" });
}

/** The error of a call whose Gate was closed while it was on its way. */
export function closedMidway(): GateError {
  return new GateError("this Gate was closed while the call was on its way; the function may have run", {
    code: "CANCELLED",
  });
}

/** The error of an answer that is no such message. */
export function noSuchMessage(what: string): GateError {
  return new GateError(`the answer is no ${what}; is it a Callgate server?`, { code: "INTERNAL" });
}

/** The error of a call that a batch, though it ended well, has no answer to. */
export function noAnswer(): GateError {
  return new GateError("the server ended the batch without an answer to this call", { code: "INTERNAL" });
}
