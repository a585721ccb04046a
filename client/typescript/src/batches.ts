/** Many calls in one message, and their answers: what `batch`, `map` and `submit` share. */

import { BatchCallFunctionsResponse, FunctionServiceService } from "../gen/callgate/v1/function_service.js";
import { GateError } from "./errors.js";
import { errorFromStatus, noAnswer } from "./failures.js";
import { type Incoming, type Line, RpcFailure, type Until } from "./line.js";
import { answer, batchRequest } from "./requests.js";
import { decode, type DecodeOptions } from "./values/decode.js";

/** How a call of a batch ended, as Promise.allSettled tells it. */
export type Outcome<T = unknown> = PromiseSettledResult<T>;

// Where a batch is closed, bytes: a batch's fixed cost vanishes beside moving them, a few batches weigh nothing. A
// single call may be larger, up to the message limit.
const ENOUGH_BYTES = 2 ** 20;

/** How large a batch may be: what this client sends, and what the server said that it takes. It only shrinks. */
export class BatchSize {
  /** The most bytes. */
  limit: number;
  /** Bytes at which a batch is closed. */
  enough: number;

  constructor(
    /** The most calls. */
    public calls: number,
    maxMessage: number,
  ) {
    this.limit = maxMessage;
    this.enough = Math.min(ENOUGH_BYTES, maxMessage);
  }

  /** Learn from the server's refusal of a batch; whether it, of which no call started, can go again in smaller ones. */
  learn(error: unknown, calls: number, bytes: number): boolean {
    if (calls < 2 || !(error instanceof GateError) || error.reason !== "REQUEST_TOO_LARGE") return false;
    const limit = Number(error.metadata.limit);
    if (error.metadata.unit === "calls") {
      if (!(limit > 0 && limit < calls)) return false;
      this.calls = Math.min(this.calls, limit);
      return true;
    }
    if (!(limit > 0 && bytes > limit)) return false;
    this.limit = Math.min(this.limit, limit);
    this.enough = Math.min(this.enough, this.limit);
    return true;
  }
}

/** One batch on its way: calls go out framed, outcomes come by index. */
export class Batch {
  /** Outcomes by index; undefined for a call without an answer. */
  readonly outcomes: (Outcome | undefined)[];
  private incoming: Incoming | undefined;
  private started = false;
  private readonly request: Uint8Array;

  constructor(
    private readonly line: Line,
    readonly calls: readonly Uint8Array[],
    private readonly until: Until,
    callTimeoutMs: number,
  ) {
    this.request = batchRequest(calls, callTimeoutMs);
    this.outcomes = new Array<Outcome | undefined>(calls.length).fill(undefined);
  }

  /** How many bytes it is. */
  get bytes(): number {
    return this.request.length;
  }

  /** Send it; a batch that cannot be sent fails when it is read. */
  start(): this {
    if (!this.started && !this.line.refusal(this.until)) {
      this.incoming = this.line.stream(FunctionServiceService.batchCallFunctions.path, this.request, this.until);
    }
    this.started = true;
    return this;
  }

  /**
   * Wait for the next message.
   *
   * @returns the indices that it answered; the RPC's failure; undefined when all is done.
   */
  async read(): Promise<number[] | RpcFailure | undefined> {
    this.start();
    if (!this.incoming) return this.line.refusal(this.until) ?? new RpcFailure(noAnswer);
    const data = await this.incoming.next();
    if (data === undefined || data instanceof RpcFailure) return data;
    try {
      return this.take(data);
    } catch (error) {
      this.cancel();
      return new RpcFailure(() => error as GateError);
    }
  }

  private take(data: Uint8Array): number[] {
    const { results } = answer(BatchCallFunctionsResponse, "callgate.v1.BatchCallFunctionsResponse", data);
    const size = this.calls.length;
    return results.map(({ index, outcome }) => {
      if (!(index >= 0 && index < size) || this.outcomes[index]) {
        const what = `the server answered call ${String(index)} of a batch of ${String(size)} twice, or unasked`;
        throw new GateError(what, { code: "INTERNAL" });
      }
      this.outcomes[index] = outcomeOf(outcome, this.line.decoding);
      return index;
    });
  }

  /** Fail what has no answer, each with an error of its own; the indices that were. */
  fail(failure: RpcFailure | undefined): number[] {
    const left: number[] = [];
    for (let index = 0; index < this.outcomes.length; index++) {
      if (this.outcomes[index]) continue;
      this.outcomes[index] = { status: "rejected", reason: failure?.error() ?? noAnswer() };
      left.push(index);
    }
    return left;
  }

  /** Cancel it, if it has not ended. */
  cancel(): void {
    this.incoming?.cancel();
  }
}

type Answered = BatchCallFunctionsResponse["results"][number]["outcome"];

function outcomeOf(outcome: Answered, options: DecodeOptions): Outcome {
  if (outcome?.$case === "error") return { status: "rejected", reason: errorFromStatus(outcome.value, options) };
  if (!outcome) return { status: "rejected", reason: noAnswer() };
  try {
    return { status: "fulfilled", value: decode(outcome.value.value ?? { kind: undefined }, options) };
  } catch (reason) {
    return { status: "rejected", reason };
  }
}
