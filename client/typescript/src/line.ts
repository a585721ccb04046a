/** A channel: RPCs by bytes, their ends, and what their failures mean. It knows neither values nor functions. */

import { Client, type ClientReadableStream, type ClientUnaryCall, type ServiceError, status } from "@grpc/grpc-js";

import type { Connection } from "./connection.js";
import type { CallgateError } from "./errors.js";
import { aborted, closed, closedMidway, errorFromRpc, expired } from "./failures.js";
import type { DecodeOptions } from "./values/decode.js";

/** When an RPC ends unasked. */
export interface Until {
  /** Milliseconds since the epoch; Infinity for never. */
  readonly deadline: number;
  /** Cancels it. */
  readonly signal: AbortSignal | undefined;
}

/** How an RPC failed. The error is made where it is thrown, so that its stack shows who called. */
export class RpcFailure {
  constructor(private readonly make: () => CallgateError) {}

  /** An error of its own each time: every call of a batch gets one. */
  error(): CallgateError {
    return this.make();
  }
}

interface Cancellable {
  cancel(): void;
}

const same = (data: Buffer): Buffer => data;
/** Bytes as gRPC takes them, without a copy. */
export function buffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** A channel. */
export class Line {
  private readonly client: Client;
  private readonly open = new Set<Cancellable>();
  /** Whether the Gate was closed. */
  closed = false;

  constructor(
    readonly connection: Connection,
    readonly decoding: DecodeOptions,
  ) {
    this.client = new Client(connection.target, connection.credentials, connection.options);
  }

  /** Why an RPC cannot start; undefined if it can. */
  refusal({ deadline, signal }: Until): RpcFailure | undefined {
    if (this.closed) return new RpcFailure(closed);
    if (signal?.aborted) return new RpcFailure(() => aborted(signal, false));
    // gRPC would send it all the same, and the function might run.
    if (deadline !== Infinity && deadline <= Date.now()) return new RpcFailure(() => expired("before the call left this client"));
    return undefined;
  }

  /** Make a unary RPC; the promise never rejects. */
  unary(path: string, data: Uint8Array, until: Until, waitForReady = false): Promise<Buffer | RpcFailure> {
    const refusal = this.refusal(until);
    if (refusal) return Promise.resolve(refusal);
    const { deadline, signal } = until;
    let { metadata } = this.connection;
    if (waitForReady) {
      metadata = metadata.clone();
      metadata.setOptions({ waitForReady });
    }
    return new Promise((resolve) => {
      const onAbort = (): void => {
        call.cancel();
      };
      let call: ClientUnaryCall;
      // gRPC notes the stack of every call, for an error of its own that nobody sees here: ours are made where they are
      // thrown. It is the dearer the deeper the stack, and none of it is waited for: nobody else sees the limit changed.
      const { stackTraceLimit } = Error;
      Error.stackTraceLimit = 0;
      try {
        call = this.client.makeUnaryRequest(path, same, same, buffer(data), metadata, { deadline }, (error, answer) => {
          this.open.delete(call);
          signal?.removeEventListener("abort", onAbort);
          resolve(error ? this.failure(error, signal) : (answer ?? Buffer.alloc(0)));
        });
      } finally {
        Error.stackTraceLimit = stackTraceLimit;
      }
      this.open.add(call);
      signal?.addEventListener("abort", onAbort);
    });
  }

  /** Start an RPC with many answers. */
  stream(path: string, data: Uint8Array, { deadline, signal }: Until): Incoming {
    const call = this.client.makeServerStreamRequest(path, same, same, buffer(data), this.connection.metadata, { deadline });
    const onAbort = (): void => {
      call.cancel();
    };
    this.open.add(call);
    signal?.addEventListener("abort", onAbort);
    return new Incoming(call, (error) => {
      this.open.delete(call);
      signal?.removeEventListener("abort", onAbort);
      return error && this.failure(error, signal);
    });
  }

  private failure(error: ServiceError, signal: AbortSignal | undefined): RpcFailure {
    return new RpcFailure(() => {
      if (error.code === status.CANCELLED) {
        if (signal?.aborted) return aborted(signal, true);
        if (this.closed) return closedMidway();
      }
      return errorFromRpc(error, this.decoding, this.connection.unreachable);
    });
  }

  /** Cancel what is on its way, and start nothing more. */
  close(): void {
    this.closed = true;
    for (const call of [...this.open]) call.cancel();
    this.client.close();
  }
}

// How many messages wait here for their reader at most; gRPC's window holds the server back behind them. Arbitrary.
const MOST_WAITING = 16;

/** The answers of an RPC with many, one after another. */
export class Incoming {
  private readonly waiting: Buffer[] = [];
  private reader: (() => void) | undefined;
  private end: { readonly failure: RpcFailure | undefined } | undefined;

  constructor(
    private readonly call: ClientReadableStream<Buffer>,
    ended: (error: ServiceError | undefined) => RpcFailure | undefined,
  ) {
    let error: ServiceError | undefined;
    call.on("data", (data: Buffer) => {
      this.waiting.push(data);
      if (this.waiting.length >= MOST_WAITING) call.pause();
      this.wake();
    });
    // gRPC tells of the error at once, and of the end when all data before it were taken.
    call.on("error", (failed: Error) => {
      error = failed as ServiceError;
    });
    call.on("end", () => {
      this.end = { failure: ended(error) };
      this.wake();
    });
  }

  private wake(): void {
    const { reader } = this;
    this.reader = undefined;
    reader?.();
  }

  /** The next message; undefined at the end, RpcFailure if the RPC failed. One reader at a time. */
  async next(): Promise<Buffer | RpcFailure | undefined> {
    for (;;) {
      const data = this.waiting.shift();
      if (data) {
        if (this.waiting.length < MOST_WAITING / 2 && this.call.isPaused()) this.call.resume();
        return data;
      }
      if (this.end) return this.end.failure;
      await new Promise<void>((resolve) => {
        this.reader = resolve;
      });
    }
  }

  /** Cancel the RPC, if it has not ended; what is not read is dropped. */
  cancel(): void {
    this.call.cancel();
    this.waiting.length = 0;
    // A paused stream never tells of its end.
    this.call.resume();
  }
}
