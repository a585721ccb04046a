/** How many calls may be on their way at once; the next wait in order, until their deadline or signal. */

import { aborted, closed, expired } from "./failures.js";

interface Waiting {
  readonly take: () => void;
  readonly refuse: (error: Error) => void;
}

/** A semaphore whose waiting can end. */
export class Places {
  private free: number;
  // A Set keeps the order, and forgets one that gave up without a search.
  private readonly waiting = new Set<Waiting>();

  constructor(private readonly size: number) {
    this.free = size;
  }

  /** Take a place if one is free. */
  tryTake(): boolean {
    if (this.free === 0) return false;
    this.free -= 1;
    return true;
  }

  /** Wait for a place; rejects when the deadline (milliseconds since the epoch) passes or the signal aborts. */
  take(deadline: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const onAbort = (): void => {
        if (signal) waiting.refuse(aborted(signal, false));
      };
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.waiting.delete(waiting);
      };
      const waiting: Waiting = {
        take: () => {
          leave();
          resolve();
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      this.waiting.add(waiting);
      signal?.addEventListener("abort", onAbort);
      const left = deadline - Date.now();
      if (left <= LONGEST_TIMER_MS) {
        const size = String(this.size);
        timer = setTimeout(() => {
          waiting.refuse(expired(`while the call waited in this client, which has ${size} on their way at once (inFlight)`));
        }, left);
      }
    });
  }

  /** Give a place back: to the first that waits. */
  give(): void {
    const [first] = this.waiting;
    if (first) first.take();
    else this.free += 1;
  }

  /** Refuse all that wait. */
  close(): void {
    for (const waiting of [...this.waiting]) waiting.refuse(closed());
  }
}

/** What a timer of Node.js can wait at most, about 25 days; nobody waits so long for a place. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
