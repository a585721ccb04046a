/** The conformance runner: JSON lines in, JSON lines out, one request after the other, until the input ends. */

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { credentials, Metadata } from "@grpc/grpc-js";

import type { CallFunctionRequest} from "../gen/callgate/v1/function_service.js";
import { FunctionServiceClient } from "../gen/callgate/v1/function_service.js";
import { type CallOptions, connect, encode, type FunctionInfo, type Gate } from "../src/index.js";
import { Float } from "../src/index.js";
import { bySubmit, byCall, concurrent } from "./concurrent.js";
import { measure } from "./measuring.js";
import { type Answer, argumentsOf, failureOf, fromHex, type Request, toHex } from "./protocol.js";

interface Connected {
  readonly gate: Gate;
  readonly request: Request;
}

const gates = new Map<string, Connected>();

function connected(request: Request): Connected {
  const found = gates.get(request.gate);
  if (!found) throw new Error(`there is no gate ${request.gate}`);
  return found;
}

function milliseconds(seconds: number | null | undefined): number | undefined {
  return seconds === null || seconds === undefined ? undefined : seconds * 1000;
}

/** A call's options, with a signal that aborts when the request says so. */
function optionsOf(request: Request): { options: CallOptions; done: () => void } {
  const abort = new AbortController();
  const after = milliseconds(request.cancel_after);
  const timer = after === undefined ? undefined : setTimeout(() => { abort.abort(); }, after);
  return {
    options: { ...argumentsOf(request), timeoutMs: milliseconds(request.timeout), signal: abort.signal },
    done: () => { clearTimeout(timer); },
  };
}

/** What an operation gives, or its failure. */
async function orFailure(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    return { failure: failureOf(error) };
  }
}

function versionOf(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

function described({ module, function: name, signature, doc, executor }: FunctionInfo): Answer {
  return { module, function: name, signature, doc, executor };
}

async function stream(request: Request): Promise<Answer> {
  const { gate } = connected(request);
  const { options, done } = optionsOf(request);
  const values: string[] = [];
  try {
    if (request.take === 0) return { values, failure: null };
    for await (const item of gate.streamWith(request.module, request.function, options)) {
      values.push(toHex(item));
      if (values.length === request.take) break;
    }
    return { values, failure: null };
  } catch (error) {
    return { values, failure: failureOf(error) };
  } finally {
    done();
  }
}

async function bench(request: Request): Promise<Answer> {
  const { gate, request: asked } = connected(request);
  if (request.what === "wrapper") {
    const call = async (): Promise<void> => {
      await gate.call("math", "sqrt", new Float(16));
    };
    return { ...(await measure(request.callers, request.seconds, call)) };
  }
  const secure = asked.tls_ca ? credentials.createSsl(readFileSync(asked.tls_ca)) : credentials.createInsecure();
  const client = new FunctionServiceClient(asked.target, secure);
  const metadata = new Metadata();
  if (asked.token) metadata.set("authorization", `Bearer ${asked.token}`);
  const prepared: CallFunctionRequest = {
    module: "math",
    function: "sqrt",
    args: [encode(new Float(16))],
    kwargs: new Map(),
    takesMore: false,
  };
  const call = (): Promise<void> =>
    new Promise((resolve, reject) => {
      client.callFunction(prepared, metadata, (error, answer) => {
        if (error) reject(error);
        else if (answer.value?.kind?.$case === "doubleValue" && answer.value.kind.value === 4) resolve();
        else reject(new Error("the answer is not 4.0"));
      });
    });
  const measured = await measure(request.callers, request.seconds, call);
  client.close();
  return { ...measured };
}

const OPERATIONS: Readonly<Record<string, (request: Request) => Promise<Answer>>> = {
  hello: () =>
    Promise.resolve({ language: "typescript", version: process.version, grpc: `@grpc/grpc-js ${versionOf("@grpc/grpc-js")}` }),
  value: (request) => orFailure(() => Promise.resolve({ value: toHex(fromHex(request.value)) })),
  connect: (request) =>
    orFailure(async () => {
      const gate = await connect(request.target, {
        ...(request.tls_ca ? { ca: request.tls_ca } : {}),
        ...(request.tls_certificate ? { certificate: request.tls_certificate } : {}),
        ...(request.tls_key ? { key: request.tls_key } : {}),
        token: request.token ?? "",
        exact: true,
      });
      gates.get(request.gate)?.gate.close();
      gates.set(request.gate, { gate, request });
      return { connected: true };
    }),
  close: (request) => {
    gates.get(request.gate)?.gate.close();
    gates.delete(request.gate);
    return Promise.resolve({ closed: true });
  },
  call: async (request) => {
    const { gate } = connected(request);
    const { options, done } = optionsOf(request);
    const begin = performance.now();
    const answer = await orFailure(async () => {
      return { value: toHex(await gate.callWith(request.module, request.function, options)) };
    });
    done();
    return { ...answer, seconds: (performance.now() - begin) / 1000 };
  },
  stream,
  batch: (request) =>
    orFailure(async () => {
      const calls = (request.calls as Request[]).map((call) => ({ ...call, ...argumentsOf(call) }));
      const timeoutMs = milliseconds(request.timeout);
      const callTimeoutMs = milliseconds(request.call_timeout);
      const outcomes = await connected(request).gate.batch(calls, {
        timeoutMs,
        ...(callTimeoutMs === undefined ? {} : { callTimeoutMs }),
      });
      return {
        results: outcomes.map((outcome) =>
          outcome.status === "fulfilled" ? { value: toHex(outcome.value) } : { failure: failureOf(outcome.reason) },
        ),
      };
    }),
  list: (request) =>
    orFailure(async () => {
      const functions = await connected(request).gate.functions((request as { module: string | null }).module ?? "");
      return { functions: functions.map(described) };
    }),
  describe: (request) =>
    orFailure(async () => {
      return { function: described(await connected(request).gate.function(request.module, request.function)) };
    }),
  concurrent: async (request) => {
    return { ...(await concurrent(request.callers, request.calls as number, byCall(connected(request).gate))) };
  },
  shared: async (request) => {
    return { ...(await concurrent(request.callers, request.calls as number, bySubmit(connected(request).gate))) };
  },
  bench,
};

for await (const line of createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  let id: unknown = null;
  let answer: Answer;
  try {
    const request = JSON.parse(line) as Request;
    ({ id } = request);
    const operation = OPERATIONS[request.op];
    answer = operation ? await operation(request) : { fault: `an unknown op: ${request.op}` };
  } catch (error) {
    answer = { fault: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.stdout.write(`${JSON.stringify({ id, ...answer })}\n`);
}
for (const { gate } of gates.values()) gate.close();
