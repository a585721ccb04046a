/**
 * A Gate is one connection to a server.
 *
 *     call ─▶ encode ─▶ a place (at most `inFlight` at once) ─▶ gRPC (line.ts) ─▶ decode, or the error
 */

import { FunctionServiceService as Service, GetFunctionRequest, GetFunctionResponse, ListFunctionsRequest, ListFunctionsResponse } from "../gen/callgate/v1/function_service.js";
import { Batch, type Outcome } from "./batches.js";
import { type ConnectOptions, connection, type Connection, isPermanent } from "./connection.js";
import { GateError } from "./errors.js";
import { type FunctionInfo, functionInfo } from "./functions.js";
import { Line, RpcFailure, type Until } from "./line.js";
import { type Items, mapCalls, type MapOptions } from "./mapping.js";
import { type Remote, remote } from "./module.js";
import { Places } from "./places.js";
import {
  answer,
  type Arguments,
  type CallLimits,
  type CallOptions,
  callRequest,
  framed,
  type Health,
  HEALTH_CHECK,
  healthOf,
  healthRequest,
  milliseconds,
  valueOf,
} from "./requests.js";
import { Stream } from "./stream.js";
import { Submitter } from "./submitting.js";

const CALL = Service.callFunction.path;
const DEFAULT_WAIT_MS = 5000;

/** A call of a batch: what, and its arguments. */
export interface BatchCall extends Arguments {
  /** The function's module, as exposed. */
  readonly module: string;
  /** The function's name. */
  readonly function: string;
}

/**
 * Connect to a Callgate server.
 *
 * It asks the server's health once, so that what is wrong (no server, TLS on one side only, a missing token) is told here
 * and in a sentence, not by the first call.
 *
 * @param target "HOST:PORT" or "unix:PATH"; by default $CALLGATE_SERVER, else 127.0.0.1:50051.
 * @param options how.
 * @returns a Gate; close it, or use it with `using`.
 * @throws GateError if there is no server within `waitMs`, TLS does not work out, or the token is not known.
 * @throws TypeError or RangeError if the options contradict each other, or a file cannot be read.
 */
export async function connect(target?: string, options: ConnectOptions = {}): Promise<Gate> {
  const waitMs = options.waitMs === null ? null : milliseconds(options.waitMs, DEFAULT_WAIT_MS, "waitMs");
  const timeoutMs = milliseconds(options.timeoutMs, Infinity);
  const gate = new Gate(await connection(target, options), timeoutMs, options.exact ?? false);
  if (waitMs !== null) await gate.greet(waitMs);
  return gate;
}

/** A connection to a server, made by `connect`. */
export class Gate {
  private readonly line: Line;
  private readonly places: Places;
  private readonly submitter: Submitter;

  /** @internal */
  constructor(
    private readonly connection: Connection,
    private readonly timeoutMs: number,
    exact: boolean,
  ) {
    this.line = new Line(connection, { exact });
    this.places = new Places(connection.inFlight);
    this.submitter = new Submitter(this.line);
  }

  /**
   * Call a function: `await gate.call<number>("math", "sqrt", 16)`.
   *
   * @param module its module, as exposed.
   * @param name its name.
   * @param args its positional arguments; keyword ones, a timeout and a signal go through `callWith`.
   * @returns what it returns; the type is the caller's claim, nothing checks it.
   * @throws PythonError if it raised.
   * @throws GateError if it could not be reached.
   * @throws ValueFormError if an argument has no form on the wire.
   */
   
  call<T = unknown>(module: string, name: string, ...args: readonly unknown[]): Promise<T> {
    return this.callNow(module, name, { args }) as Promise<T>;
  }

  /** As `call`, with keyword arguments, a timeout and an AbortSignal: `callWith("m", "f", { args: [1], timeoutMs: 50 })`. */
   
  callWith<T = unknown>(module: string, name: string, options: CallOptions = {}): Promise<T> {
    return this.callNow(module, name, options) as Promise<T>;
  }

  private async callNow(module: string, name: string, options: CallOptions): Promise<unknown> {
    const until = this.until(options);
    const data = callRequest(module, name, options, this.connection.maxMessage);
    if (!this.places.tryTake()) {
      const refusal = this.line.refusal(until);
      if (refusal) throw refusal.error();
      await this.places.take(until.deadline, until.signal);
    }
    let answered: Buffer | RpcFailure;
    try {
      answered = await this.line.unary(CALL, data, until);
    } finally {
      this.places.give();
    }
    // Made here and not where gRPC tells of it, so that the stack shows who called.
    if (answered instanceof RpcFailure) throw answered.error();
    return valueOf(answered, this.line.decoding);
  }

  private until({ timeoutMs, signal }: CallLimits, otherwise = this.timeoutMs): Until {
    const limit = milliseconds(timeoutMs, otherwise);
    return { deadline: limit === Infinity ? limit : Date.now() + limit, signal };
  }

  /**
   * Call a generator, or what else gives items one by one: `for await (const item of gate.stream("m", "f", 3))`.
   *
   * The call starts with the first item asked for; the server makes only a few items more than are read. Leaving the loop
   * cancels it, and closes the generator on the server. A stream takes no place among the calls on their way.
   *
   * @throws ValueFormError if an argument has no form on the wire; iterating throws what `call` throws.
   */
  stream<T = unknown>(module: string, name: string, ...args: readonly unknown[]): Stream<T> {
    return this.streamWith<T>(module, name, { args });
  }

  /** As `stream`, with keyword arguments, a timeout until the last item, and an AbortSignal. */
  streamWith<T = unknown>(module: string, name: string, options: CallOptions = {}): Stream<T> {
    this.until(options); // what is wrong with the timeout is said now
    const data = callRequest(module, name, options, this.connection.maxMessage);
    return new Stream<T>(this.line, data, () => this.until(options));
  }

  /**
   * Make many calls in one message.
   *
   * @param calls the calls.
   * @param options how long all of it may take, and each call from when it starts to run.
   * @returns an outcome for each call, as Promise.allSettled gives them.
   * @throws GateError if the batch as a whole could not be made.
   */
  async batch(
    calls: Iterable<BatchCall>,
    options: CallLimits & { readonly callTimeoutMs?: number } = {},
  ): Promise<Outcome[]> {
    const until = this.until(options, Infinity);
    const requests = Array.from(calls, (call, index) => {
      try {
        return framed(callRequest(call.module, call.function, call, this.connection.maxMessage));
      } catch (error) {
        if (error instanceof Error) error.message = `calls[${String(index)}]: ${error.message}`;
        throw error;
      }
    });
    const batch = new Batch(this.line, requests, until, milliseconds(options.callTimeoutMs, this.timeoutMs, "callTimeoutMs"));
    for (;;) {
      const arrived = await batch.read();
      if (Array.isArray(arrived)) continue;
      // Where some calls were answered, their answers count; the others fail each by itself.
      if (arrived && batch.outcomes.every((outcome) => !outcome)) throw arrived.error();
      batch.fail(arrived);
      return batch.outcomes as Outcome[];
    }
  }

  /**
   * Call a function once for each item of an iterable, many calls to a message: `for await (const r of gate.map(…))`.
   *
   * Nothing is read or sent before the first result is asked for, and then at most three batches ahead, so the iterable
   * may be endless. What it throws comes after the results of the items before. Leaving the loop cancels what is on its
   * way.
   *
   * @param module its module, as exposed.
   * @param name its name.
   * @param items one argument a call; with `unpack`, an array of arguments.
   * @param options further ones.
   * @returns results in order; with `settled`, as Promise.allSettled gives them.
   */
  map<T = unknown>(module: string, name: string, items: Items, options: MapOptions & { readonly settled: true }): AsyncGenerator<Outcome<T>, void, undefined>;
  map<T = unknown>(module: string, name: string, items: Items, options?: MapOptions): AsyncGenerator<T, void, undefined>;
  map<T>(module: string, name: string, items: Items, options: MapOptions = {}): AsyncGenerator<T | Outcome<T>, void, undefined> {
    const { chunk, unpack = false, settled = false } = options;
    if (chunk !== undefined && (!Number.isSafeInteger(chunk) || chunk < 1)) {
      throw new RangeError(`chunk is ${String(chunk)}; 1 or more is right`);
    }
    const until = this.until(options, Infinity);
    const callTimeoutMs = milliseconds(options.callTimeoutMs, this.timeoutMs, "callTimeoutMs");
    const outcomes = mapCalls(this.line, items, { module, name, chunk, unpack, settled, until, callTimeoutMs });
    return settled ? (outcomes as AsyncGenerator<Outcome<T>, void, undefined>) : values<T>(outcomes);
  }

  /**
   * Call a function, as `call`; calls that are submitted at about the same time share messages, which makes them several
   * times cheaper. A slow call holds up no later one, four slow batches do.
   */
   
  submit<T = unknown>(module: string, name: string, ...args: readonly unknown[]): Promise<T> {
    return this.submitWith<T>(module, name, { args });
  }

  /** As `submit`, with keyword arguments, a timeout and an AbortSignal. A call may be cut off 2 % early, never late. */
   
  async submitWith<T = unknown>(module: string, name: string, options: CallOptions = {}): Promise<T> {
    const { deadline, signal } = this.until(options);
    const data = callRequest(module, name, options, this.connection.maxMessage - 16);
    return (await this.submitter.submit(framed(data), deadline, signal)) as T;
  }

  /**
   * A module whose methods are its functions: `await gate.module("math").sqrt(16)`.
   *
   * @typeParam M what its functions take and return, for type checks: `gate.module<{ sqrt(x: number): number }>("math")`.
   */
  module<M extends object = Record<string, (...args: readonly unknown[]) => unknown>>(name: string): Remote<M> {
    return remote<M>(name, (module, method, args) => this.callNow(module, method, { args }));
  }

  /** The functions that this client may call, by module and name; of one module if it is named. */
  async functions(module = "", limits: CallLimits = {}): Promise<FunctionInfo[]> {
    const found: FunctionInfo[] = [];
    let pageToken = "";
    do {
      const request = ListFunctionsRequest.encode({ module, pageToken, pageSize: 0 }).finish();
      const data = await this.unary(Service.listFunctions.path, request, limits);
      const page = answer(ListFunctionsResponse, "callgate.v1.ListFunctionsResponse", data);
      found.push(...page.functions.map(functionInfo));
      pageToken = page.nextPageToken;
    } while (pageToken);
    return found;
  }

  /** Describe one function; rejects with a GateError (FUNCTION_NOT_FOUND) if there is none for this client. */
  async function(module: string, name: string, limits: CallLimits = {}): Promise<FunctionInfo> {
    const request = GetFunctionRequest.encode({ module, function: name }).finish();
    const data = await this.unary(Service.getFunction.path, request, limits);
    const found = answer(GetFunctionResponse, "callgate.v1.GetFunctionResponse", data).function;
    if (!found) throw new GateError("the answer describes no function", { code: "INTERNAL" });
    return functionInfo(found);
  }

  /** Ask the standard health service, of the server as a whole or of one of its services. */
  async health(service = "", limits: CallLimits = {}): Promise<Health> {
    try {
      return healthOf(await this.unary(HEALTH_CHECK, healthRequest(service), limits));
    } catch (error) {
      // What the health protocol answers for a service that it does not know.
      if (error instanceof GateError && error.code === "NOT_FOUND") return "SERVICE_UNKNOWN";
      throw error;
    }
  }

  private async unary(path: string, data: Uint8Array, limits: CallLimits): Promise<Buffer> {
    const answered = await this.line.unary(path, data, this.until(limits));
    if (answered instanceof RpcFailure) throw answered.error();
    return answered;
  }

  /**
   * Make sure of the connection: any answer to a health check shows that RPCs get through. The first attempt tells what
   * is wrong, at once; where waiting may help, the second waits for the connection, without polling.
   *
   * @internal
   */
  async greet(waitMs: number): Promise<void> {
    const until = this.until({ timeoutMs: waitMs });
    const first = await this.greeting(until, false);
    let problem = first;
    if (first?.code === "UNAVAILABLE" && !isPermanent(first.message)) {
      problem = await this.greeting(until, true);
      if (problem?.code === "DEADLINE_EXCEEDED") problem = first;
    }
    if (problem?.code === "DEADLINE_EXCEEDED") {
      problem = new GateError(
        `no answer from ${this.connection.target} within ${String(waitMs / 1000)} s, though the address can be reached ` +
          "or does not refuse: is it a Callgate server?",
        { code: "UNAVAILABLE" },
      );
    }
    // Any other answer (no health service, not for this caller) came through the connection: it stands.
    if (problem?.code === "UNAVAILABLE" || problem?.code === "UNAUTHENTICATED") {
      this.close();
      throw problem;
    }
  }

  private async greeting(until: Until, patient: boolean): Promise<GateError | undefined> {
    const answered = await this.line.unary(HEALTH_CHECK, new Uint8Array(), until, patient);
    if (!(answered instanceof RpcFailure)) return undefined;
    const error = answered.error();
    return error instanceof GateError ? error : undefined;
  }

  /** Close the connection; calls on their way are cancelled, and reject with a GateError. Closing again does nothing. */
  close(): void {
    if (this.line.closed) return;
    this.line.close();
    this.places.close();
    this.submitter.close();
  }

  /** For `using`: closes the connection. */
  [Symbol.dispose](): void {
    this.close();
  }
}

async function* values<T>(outcomes: AsyncIterable<Outcome>): AsyncGenerator<T, void, undefined> {
  for await (const outcome of outcomes) {
    if (outcome.status === "rejected") throw outcome.reason;
    yield outcome.value as T;
  }
}
