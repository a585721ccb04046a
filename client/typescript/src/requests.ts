/** What goes out and comes in, as bytes: calls, batches of calls, health; and how long they may take. No I/O. */

import { type BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

import type { Value } from "../gen/callgate/v1/value.js";
import {
  BatchCallFunctionsRequest,
  CallFunctionRequest,
  CallFunctionResponse,
} from "../gen/callgate/v1/function_service.js";
import { ValueFormError } from "./errors.js";
import { noSuchMessage, requestTooLarge } from "./failures.js";
import { decode, type DecodeOptions } from "./values/decode.js";
import { encode } from "./values/encode.js";
import { shortKey } from "./values/limits.js";
import { type MessageType, parse } from "./values/wire.js";

/** A call's arguments. */
export interface Arguments {
  /** The positional ones. */
  readonly args?: Iterable<unknown>;
  /** The keyword ones; those that are undefined are left out. */
  readonly kwargs?: Readonly<Record<string, unknown>> | ReadonlyMap<string, unknown>;
}

/** How long a call may take, and what cancels it. */
export interface CallLimits {
  /** Milliseconds it may take, waiting in this client included; the Gate's own by default. 0 has passed already. */
  readonly timeoutMs?: number | undefined;
  /** Cancels it, on the server as well. */
  readonly signal?: AbortSignal | undefined;
}

/** A call's arguments, and how long it may take. */
export interface CallOptions extends Arguments, CallLimits {}

/** A serialized CallFunctionRequest; throws ValueFormError, a TypeError for names, GateError if it is too large. */
export function callRequest(module: string, name: string, { args, kwargs }: Arguments, maxMessage: number): Uint8Array {
  for (const text of [module, name]) {
    if (typeof text !== "string" || !text.isWellFormed()) {
      throw new TypeError('a call names a module and a function as strings: call("math", "sqrt", 16)');
    }
  }
  if (typeof args === "string" || (args !== undefined && typeof args[Symbol.iterator] !== "function")) {
    throw new TypeError("args is an array of arguments: callWith(module, name, { args: [1] })");
  }
  const request: CallFunctionRequest = { module, function: name, args: [], kwargs: new Map(), takesMore: false };
  let index = 0;
  for (const value of args ?? []) request.args.push(encode(value, `args[${String(index++)}]`));
  if (kwargs !== undefined) request.kwargs = namedArguments(kwargs);
  const data = CallFunctionRequest.encode(request).finish();
  if (data.length > maxMessage) throw requestTooLarge(data.length, maxMessage);
  return data;
}

function namedArguments(kwargs: NonNullable<Arguments["kwargs"]>): Map<string, Value> {
  if (typeof kwargs !== "object" || Array.isArray(kwargs)) {
    throw new TypeError("kwargs are named: callWith(module, name, { kwargs: { b: 2 } })");
  }
  const made = new Map<string, Value>();
  for (const [name, value] of kwargs instanceof Map ? (kwargs as Map<string, unknown>) : Object.entries(kwargs)) {
    if (typeof name !== "string" || !name.isWellFormed()) {
      throw new ValueFormError("a keyword argument's name is text without lone surrogates", `kwargs[${shortKey(name)}]`);
    }
    if (value !== undefined) made.set(name, encode(value, `kwargs[${shortKey(name)}]`));
  }
  return made;
}

/** A message of the server's; throws GateError if it is none. */
export function answer<T>(type: MessageType<T>, name: string, data: Uint8Array): T {
  try {
    // Not as a Buffer: the stubs take parts of it, and a part of a Buffer is one.
    return parse(type, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  } catch {
    throw noSuchMessage(name);
  }
}

/** The value of a serialized CallFunctionResponse, or of a StreamFunctionResponse: it has more only where it is asked for. */
export function valueOf(data: Uint8Array, options: DecodeOptions): unknown {
  const { value } = answer(CallFunctionResponse, "callgate.v1.CallFunctionResponse", data);
  return decode(value ?? { kind: undefined }, options);
}

// `calls` of BatchCallFunctionsRequest: field 1, length-delimited.
const CALLS_TAG = 0x0a;

/**
 * A serialized CallFunctionRequest as it stands in a batch. Repeated fields of one message concatenate, so a batch is its
 * calls' bytes one after another; sizes are exact before anything is sent, and a call can go again in another batch.
 */
export function framed(call: Uint8Array): Uint8Array {
  return new BinaryWriter().uint32(CALLS_TAG).bytes(call).finish();
}

/** A serialized BatchCallFunctionsRequest of framed calls. */
export function batchRequest(calls: readonly Uint8Array[], callTimeoutMs: number): Uint8Array {
  if (callTimeoutMs === Infinity) return Buffer.concat(calls);
  const nanos = Math.max(1, Math.round(callTimeoutMs * 1e6));
  const callTimeout = { seconds: BigInt(Math.floor(nanos / 1e9)), nanos: nanos % 1e9 };
  return Buffer.concat([...calls, BatchCallFunctionsRequest.encode({ calls: [], callTimeout, mapped: [] }).finish()]);
}

// Timeouts from here on, a hundred years, are none: gRPC has no way to write them.
const FOREVER_MS = 100 * 365 * 86_400_000;

/** A timeout, validated; Infinity for none. */
export function milliseconds(timeoutMs: number | null | undefined, otherwise: number, name = "timeoutMs"): number {
  if (timeoutMs === undefined || timeoutMs === null) return otherwise;
  if (typeof timeoutMs !== "number") throw new TypeError(`${name} is a number, not a ${typeof timeoutMs}`);
  if (!(timeoutMs >= 0)) throw new RangeError(`${name} is ${String(timeoutMs)}; 0 or more milliseconds is right`);
  return timeoutMs < FOREVER_MS ? timeoutMs : Infinity;
}

/** The standard health service's method (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
export const HEALTH_CHECK = "/grpc.health.v1.Health/Check";

/** What the health service says of a server. */
export type Health = "UNKNOWN" | "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";
const HEALTHS: readonly Health[] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** A serialized grpc.health.v1.HealthCheckRequest: one string, with number 1. */
export function healthRequest(service: string): Uint8Array {
  return new BinaryWriter().uint32(0x0a).string(service).finish();
}

const HealthStatus: MessageType<number> = {
  decode: (reader: BinaryReader): number => {
    let status = 0;
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1 && wireType === WireType.Varint) status = reader.int32();
      else reader.skip(wireType, field);
    }
    return status;
  },
};

/** The status of a serialized HealthCheckResponse: one enum, with number 1. */
export function healthOf(data: Uint8Array): Health {
  return HEALTHS[answer(HealthStatus, "grpc.health.v1.HealthCheckResponse", data)] ?? "UNKNOWN";
}
