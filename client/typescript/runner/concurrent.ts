/** Many callers at once, each of which checks that every answer is its own. */

import { isDeepStrictEqual } from "node:util";

import type { Gate } from "../src/index.js";
import { Float } from "../src/index.js";

/** Makes a call, by `call` or by `submit`. */
export type Caller = (module: string, name: string, argument: unknown) => Promise<unknown>;

/** What came of it. */
export interface Report {
  made: number;
  wrong: string[];
}

/** The n-th call, and the answer that it must be equal to. */
function nth(n: number, caller: number, call: number): [string, string, unknown, unknown] {
  switch (n % 4) {
    case 0:
      return ["math", "sqrt", new Float(n * n), n];
    case 1:
      return ["json", "dumps", [n, "x"], `[${String(n)}, "x"]`];
    case 2:
      return ["builtins", "abs", -n, n];
    default:
      return ["conformance_functions", "echo", { caller, call }, new Map(Object.entries({ caller, call }))];
  }
}

/** So many callers, each with so many calls one after the other. */
export async function concurrent(callers: number, calls: number, make: Caller, module?: string): Promise<Report> {
  const report: Report = { made: 0, wrong: [] };
  const one = async (caller: number): Promise<void> => {
    for (let call = 0; call < calls; call++) {
      const [home, name, argument, right] = nth(caller * calls + call, caller, call);
      const shown = `caller ${String(caller)}, call ${String(call)} (${name})`;
      report.made += 1;
      try {
        const answer = await make(name === "echo" ? (module ?? home) : home, name, argument);
        const number = answer instanceof Float ? answer.value : answer;
        if (!isDeepStrictEqual(number, right)) report.wrong.push(`${shown}: ${String(answer)}, and not ${String(right)}`);
      } catch (error) {
        report.wrong.push(`${shown}: ${String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => one(caller)));
  return { made: report.made, wrong: report.wrong.slice(0, 10) };
}

/** Calls one by one. */
export function byCall(gate: Gate): Caller {
  return (module, name, argument) => gate.call(module, name, argument);
}

/** Calls that share batches. */
export function bySubmit(gate: Gate): Caller {
  return (module, name, argument) => gate.submit(module, name, argument);
}
