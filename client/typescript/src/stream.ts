/** The items of a remote generator, one by one. */

import { FunctionServiceService } from "../gen/callgate/v1/function_service.js";
import { type Incoming, type Line, RpcFailure, type Until } from "./line.js";
import { valueOf } from "./requests.js";

/**
 * The items of a stream: `for await (const item of gate.stream(…))`. The call starts with the first item asked for.
 * Leaving the loop, or `close`, cancels it, and closes the generator on the server. It can be read once.
 */
export class Stream<T = unknown> implements AsyncIterableIterator<T> {
  private incoming: Incoming | undefined;
  private done = false;
  private last: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(
    private readonly line: Line,
    private readonly request: Uint8Array,
    private readonly until: () => Until,
  ) {}

  /** The next item; rejects with what the function raised, after the items before that. */
  next(): Promise<IteratorResult<T, undefined>> {
    // One after another, as an async generator would: whoever asks twice gets two items, in order.
    const next = this.last.then(() => this.read());
    this.last = next.catch(() => undefined);
    return next;
  }

  private async read(): Promise<IteratorResult<T, undefined>> {
    if (this.done) return { done: true, value: undefined };
    if (!this.incoming) {
      const until = this.until();
      const refusal = this.line.refusal(until);
      if (refusal) return this.fail(refusal);
      this.incoming = this.line.stream(FunctionServiceService.streamFunction.path, this.request, until);
    }
    const data = await this.incoming.next();
    if (data === undefined) this.done = true;
    // Or closed while this waited, which is no failure.
    if (data === undefined || this.isDone()) return { done: true, value: undefined };
    if (data instanceof RpcFailure) return this.fail(data);
    try {
      return { done: false, value: valueOf(data, this.line.decoding) as T };
    } catch (error) {
      // What follows would be taken for the item that could not be decoded.
      this.close();
      throw error;
    }
  }

  private isDone(): boolean {
    return this.done;
  }

  private fail(failure: RpcFailure): never {
    this.done = true;
    throw failure.error();
  }

  /** Cancel the stream, if it has not ended; iterating then ends. Closing again does nothing. */
  close(): void {
    if (this.done) return;
    this.done = true;
    this.incoming?.cancel();
  }

  /** What leaving a `for await` loop calls: closes the stream. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** The stream itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** For `await using`: closes the stream. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}
