/**
 * `Gate.submit`: calls made at about the same time share batches by themselves.
 *
 *     submit ─▶ queue ─▶ a lane takes what there is ─▶ one batch ─▶ answers settle their promises as they come
 *
 * What one turn of the event loop submits goes together, at once while fewer than EAGER_LANES batches are on their way;
 * what is submitted meanwhile goes with the first of them that is done. A slow call must not hold that up: when the oldest
 * of those that wait has waited for PATIENCE_MS, another lane takes them, up to LANES. The numbers are the Python client's.
 */

import { Batch, BatchSize } from "./batches.js";
import { aborted, closed, expired } from "./failures.js";
import { type Line, RpcFailure } from "./line.js";
import { LONGEST_TIMER_MS } from "./places.js";

const LANES = 4;
const EAGER_LANES = 2;
const PATIENCE_MS = 5;
const MOST_CALLS = 1024;
/** Calls share a batch, and the earliest of their deadlines, where those lie within this part of what is left. */
const SAME_DEADLINE = 0.02;

interface Submitted {
  readonly call: Uint8Array;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  readonly since: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  settled: boolean;
}

/** Submits calls for one Gate. */
export class Submitter {
  private readonly size: BatchSize;
  // A Set keeps the order, and forgets one that gave up without a search.
  private readonly queue = new Set<Submitted>();
  private lanes = 0;
  private waking = false;
  private patience: NodeJS.Timeout | undefined;

  constructor(private readonly line: Line) {
    this.size = new BatchSize(MOST_CALLS, line.connection.maxMessage);
  }

  /** Submit a framed call. */
  submit(call: Uint8Array, deadline: number, signal: AbortSignal | undefined): Promise<unknown> {
    const refusal = this.line.refusal({ deadline, signal });
    if (refusal) return Promise.reject(refusal.error());
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.queue.delete(one);
        one.settled = true;
      };
      const one: Submitted = {
        call,
        deadline,
        signal,
        since: Date.now(),
        settled: false,
        resolve: (value) => {
          leave();
          resolve(value);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = (): void => {
        // On its way it may have started; its answer, if one comes, is dropped.
        if (signal) one.reject(aborted(signal, !this.queue.has(one)));
      };
      signal?.addEventListener("abort", onAbort);
      this.queue.add(one);
      const left = deadline - Date.now();
      if (left <= LONGEST_TIMER_MS) {
        timer = setTimeout(() => {
          if (this.queue.has(one)) one.reject(expired(`while the call waited in this client for one of ${String(LANES)} batches`));
        }, left);
      }
      this.wake();
    });
  }

  /** Have a lane look at the queue: after this turn, when one is done, or when the calls there have waited long. */
  private wake(): void {
    if (this.waking) return;
    if (this.lanes < EAGER_LANES) {
      this.startLane();
    } else if (!this.patience && this.lanes < LANES) {
      this.patience = setTimeout(() => {
        this.patience = undefined;
        const [oldest] = this.queue;
        if (!oldest || this.waking || this.lanes === LANES) return;
        if (oldest.since + PATIENCE_MS > Date.now()) this.wake();
        else this.startLane();
      }, PATIENCE_MS);
    }
  }

  private startLane(): void {
    this.waking = true;
    this.lanes += 1;
    // Not a microtask: those who were just answered submit their next call some microtasks from now.
    setImmediate(() => {
      this.waking = false;
      void this.lane();
    });
  }

  private async lane(): Promise<void> {
    while (this.queue.size > 0) {
      const taken = this.take();
      if (this.queue.size > 0) this.wake();
      await this.exchange(taken);
      // The same again: let those who were just answered submit.
      await new Promise(setImmediate);
    }
    this.lanes -= 1;
  }

  /** Take from the queue's front what may go in one batch; calls that do not fit keep their order. */
  private take(): Submitted[] {
    const taken: Submitted[] = [];
    let bytes = 0;
    let deadline: number | undefined;
    let tolerance = 0;
    for (const one of this.queue) {
      deadline ??= one.deadline;
      if (taken.length === 0) tolerance = Math.max(0, deadline - Date.now()) * SAME_DEADLINE;
      const same = one.deadline === deadline || Math.abs(one.deadline - deadline) <= tolerance;
      if (!same) continue;
      bytes += one.call.length;
      if (taken.length > 0 && (taken.length >= this.size.calls || bytes > this.size.enough)) break;
      taken.push(one);
      this.queue.delete(one);
    }
    return taken;
  }

  /** Send a batch and settle its promises, all of them. */
  private async exchange(taken: Submitted[]): Promise<void> {
    const deadline = taken.reduce((first, one) => Math.min(first, one.deadline), Infinity);
    const batch = new Batch(this.line, taken.map((one) => one.call), { deadline, signal: undefined }, Infinity).start();
    const onAbort = (): void => {
      // Nobody waits for this batch any more: its calls end on the server, too.
      if (taken.every((one) => one.settled)) batch.cancel();
    };
    const signals = new Set(taken.map((one) => one.signal));
    for (const signal of signals) signal?.addEventListener("abort", onAbort);
    try {
      for (let began = false; ; began = true) {
        const arrived = await batch.read();
        if (Array.isArray(arrived)) {
          settle(taken, batch, arrived);
          continue;
        }
        if (arrived && !began && this.size.learn(arrived.error(), taken.length, batch.bytes)) {
          await this.again(taken);
        } else {
          settle(taken, batch, batch.fail(arrived instanceof RpcFailure ? arrived : undefined));
        }
        return;
      }
    } finally {
      for (const signal of signals) signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Send a batch in smaller ones: the server refused it as too large, and has started none of its calls. */
  private async again(taken: Submitted[]): Promise<void> {
    for (let rest = taken.filter((one) => !one.settled); rest.length > 0; ) {
      let bytes = 0;
      let end = 0;
      for (const one of rest.slice(0, this.size.calls)) {
        bytes += one.call.length;
        if (end > 0 && bytes > this.size.limit) break;
        end += 1;
      }
      await this.exchange(rest.slice(0, end));
      rest = rest.slice(end);
    }
  }

  /** Fail what waits; what is on its way fails with the line. */
  close(): void {
    clearTimeout(this.patience);
    for (const one of [...this.queue]) one.reject(closed());
  }
}

function settle(taken: readonly Submitted[], batch: Batch, arrived: readonly number[]): void {
  for (const index of arrived) {
    const one = taken[index];
    const outcome = batch.outcomes[index];
    if (!one || !outcome || one.settled) continue; // aborted meanwhile
    if (outcome.status === "fulfilled") one.resolve(outcome.value);
    else one.reject(outcome.reason as Error);
  }
}
