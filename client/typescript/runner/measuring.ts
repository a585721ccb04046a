/** Calls in a loop from so many concurrent callers, each waiting for its answer, and how long they took. */

/** What was measured; times in seconds. */
export interface Measured {
  calls: number;
  seconds: number;
  p50: number;
  p99: number;
}

/** Make calls for so many seconds; `prepare` makes each caller's own way to call. */
export async function measure(callers: number, seconds: number, call: () => Promise<void>): Promise<Measured> {
  // What the first calls pay for, connecting and compiling, is no part of it.
  for (let i = 0; i < 200; i++) await call();
  const times: number[] = [];
  const begin = performance.now();
  const end = begin + seconds * 1000;
  const one = async (): Promise<void> => {
    for (let now = performance.now(); now < end; ) {
      await call();
      const after = performance.now();
      times.push(after - now);
      now = after;
    }
  };
  await Promise.all(Array.from({ length: callers }, one));
  const took = (performance.now() - begin) / 1000;
  times.sort((a, b) => a - b);
  const at = (part: number): number => (times[Math.floor(part * (times.length - 1))] ?? NaN) / 1000;
  return { calls: times.length, seconds: took, p50: at(0.5), p99: at(0.99) };
}
