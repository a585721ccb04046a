/**
 * `Gate.map`: what an iterable gives, in batches.
 *
 *     iterable ─▶ Source.next (a batch's calls) ─▶ at most READ_AHEAD batches on their way ─▶ outcomes in order
 */

import { Batch, BatchSize, type Outcome } from "./batches.js";
import type { CallgateError } from "./errors.js";
import { type Line, RpcFailure, type Until } from "./line.js";
import { callRequest, framed } from "./requests.js";

/** How `map` goes about it. */
export interface MapOptions {
  /** Calls in one batch; by default few at first, up to 1,024, and no waiting for more while the iterable is slow. */
  readonly chunk?: number;
  /** Whether an item is an array of arguments. */
  readonly unpack?: boolean;
  /** Whether each result comes as Promise.allSettled gives it; else the first failure is thrown, in its place. */
  readonly settled?: boolean;
  /** Milliseconds for the whole; no limit by default. */
  readonly timeoutMs?: number;
  /** Milliseconds for each call from when it starts to run; the Gate's own by default. */
  readonly callTimeoutMs?: number;
  /** Cancels it. */
  readonly signal?: AbortSignal;
}

/** What `map` reads. */
export type Items = Iterable<unknown> | AsyncIterable<unknown>;

/** What is known once `map` is called. */
export interface MapPlan {
  readonly module: string;
  readonly name: string;
  readonly chunk: number | undefined;
  readonly unpack: boolean;
  readonly settled: boolean;
  readonly until: Until;
  readonly callTimeoutMs: number;
}

/** Batches on their way: one that the server works on, one that waits there, one that is being answered. */
const READ_AHEAD = 3;
// Batches begin small, so that the first results come soon, and grow fourfold; larger than the most is no faster.
const FIRST_CALLS = 16;
const GROWTH = 4;
const MOST_CALLS = 1024;
// A batch goes after so long, full or not: a slow iterable must not hold up what it gave. As in the Python client.
const FILL_MS = 5;

/** A call of a map: framed, or what keeps it from being sent. */
type Item = Uint8Array | { readonly unsent: unknown };

/** The iterable, read a batch at a time; what it throws is kept until the results before it are handed out. */
class Source {
  private readonly items: AsyncIterator<unknown> | Iterator<unknown>;
  private readonly asynchronous: boolean;
  private held: Uint8Array | undefined;
  private ended = false;
  private broken = false;
  private most: number;
  readonly size: BatchSize;
  /** Whether the iterable is slower than this client: then nothing is read ahead. */
  slow = false;
  failure: { readonly error: unknown } | undefined;

  constructor(
    items: Items,
    private readonly plan: MapPlan,
    maxMessage: number,
  ) {
    this.asynchronous = Symbol.asyncIterator in Object(items);
    this.items = this.asynchronous
      ? (items as AsyncIterable<unknown>)[Symbol.asyncIterator]()
      : (items as Iterable<unknown>)[Symbol.iterator]();
    this.size = new BatchSize(plan.chunk ?? MOST_CALLS, maxMessage - 64); // 64: the batch's own timeout
    this.most = plan.chunk ?? FIRST_CALLS;
  }

  /** The next calls; none at the end. */
  async next(): Promise<Item[]> {
    const made: Item[] = this.held ? [this.held] : [];
    let bytes = this.held?.length ?? 0;
    this.held = undefined;
    const most = Math.min(this.most, this.size.calls);
    const since = Date.now();
    while (!this.ended && !this.broken && made.length < most && bytes < this.size.enough) {
      const item = await this.read();
      if (!item) break;
      if (item instanceof Uint8Array) {
        bytes += item.length;
        if (made.length > 0 && bytes > this.size.limit) {
          this.held = item;
          break;
        }
      }
      made.push(item);
      if (this.plan.chunk === undefined && Date.now() - since >= FILL_MS) {
        this.slow = true;
        return made;
      }
    }
    this.slow = false;
    if (this.plan.chunk === undefined) this.most = Math.min(this.most * GROWTH, MOST_CALLS);
    return made;
  }

  private async read(): Promise<Item | undefined> {
    let value: unknown;
    try {
      // Waited for only if need be: a turn of the microtask queue for each item would cost more than the item.
      const step = this.items.next();
      const result = this.asynchronous ? await step : (step as IteratorResult<unknown>);
      if (result.done) {
        this.ended = true;
        return undefined;
      }
      value = result.value;
    } catch (error) {
      this.ended = true;
      this.failure = { error };
      return undefined;
    }
    try {
      const args = this.plan.unpack ? (value as Iterable<unknown>) : [value];
      return framed(callRequest(this.plan.module, this.plan.name, { args }, this.size.limit - 16));
    } catch (unsent) {
      this.broken = !this.plan.settled; // the map ends there: what comes after must not run
      return { unsent };
    }
  }

  /** Tell the iterable that nothing more is read. */
  async close(): Promise<void> {
    if (!this.ended) await this.items.return?.();
  }
}

/** A batch, and beside its calls those items that could not be sent, in the iterable's order. */
class Chunk {
  private readonly batch: Batch;
  private readonly sent: Uint8Array[];
  private reading = false;

  constructor(
    private readonly line: Line,
    private readonly items: readonly Item[],
    private readonly plan: MapPlan,
  ) {
    this.sent = items.filter((item) => item instanceof Uint8Array);
    this.batch = new Batch(line, this.sent, plan.until, plan.callTimeoutMs);
  }

  start(): this {
    if (this.sent.length > 0) this.batch.start();
    return this;
  }

  cancel(): void {
    this.batch.cancel();
  }

  /** The outcomes in order; where the server wants smaller batches, from those. */
  async *outcomes(size: BatchSize): AsyncGenerator<Outcome, void, undefined> {
    let index = 0;
    for (const item of this.items) {
      if (!(item instanceof Uint8Array)) {
        yield { status: "rejected", reason: item.unsent };
        continue;
      }
      let outcome = this.batch.outcomes[index];
      while (!outcome) {
        const arrived = await this.batch.read();
        if (Array.isArray(arrived)) this.reading = true;
        else if (arrived && !this.reading && size.learn(arrived.error(), this.sent.length, this.batch.bytes)) {
          yield* this.smaller(size);
          return;
        } else {
          if (arrived instanceof RpcFailure) this.endsMap(arrived.error());
          this.batch.fail(arrived);
        }
        outcome = this.batch.outcomes[index];
      }
      // Handed out: a batch's results need not stay together in memory.
      this.batch.outcomes[index] = undefined;
      index += 1;
      yield outcome;
    }
  }

  /** Throw where a batch's failure is the whole map's: its own deadline passed, or it was cancelled. */
  private endsMap(error: CallgateError): void {
    const { deadline, signal } = this.plan.until;
    if (signal?.aborted || deadline <= Date.now()) throw error;
  }

  /** The same items in smaller batches, one after another: none was answered. */
  private async *smaller(size: BatchSize): AsyncGenerator<Outcome, void, undefined> {
    let piece: Item[] = [];
    let bytes = 0;
    for (const item of [...this.items, undefined]) {
      const length = item instanceof Uint8Array ? item.length : 0;
      if (piece.length > 0 && (!item || piece.length >= size.calls || bytes + length > size.limit)) {
        const chunk = new Chunk(this.line, piece, this.plan).start();
        try {
          yield* chunk.outcomes(size);
        } finally {
          chunk.cancel();
        }
        piece = [];
        bytes = 0;
      }
      if (item) piece.push(item);
      bytes += length;
    }
  }
}

/** The outcomes of a call for each item, in order. Leaving it early cancels what is on its way. */
export async function* mapCalls(line: Line, items: Items, plan: MapPlan): AsyncGenerator<Outcome, void, undefined> {
  const source = new Source(items, plan, line.connection.maxMessage);
  const flight: Chunk[] = [];
  try {
    for (;;) {
      while (flight.length < (source.slow ? 1 : READ_AHEAD)) {
        const calls = await source.next();
        if (calls.length === 0) break;
        flight.push(new Chunk(line, calls, plan).start());
      }
      const [first] = flight;
      if (!first) break;
      yield* first.outcomes(source.size);
      flight.shift();
    }
    if (source.failure) throw source.failure.error;
  } finally {
    for (const chunk of flight) chunk.cancel();
    await source.close();
  }
}
