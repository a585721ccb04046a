/**
 * Both gRPC libraries, bare, with the stubs of their own and a prepared request, and this client beside them:
 * `math.sqrt(16.0)` against a real server, one caller and 64. Rounds alternate; medians of rounds are printed.
 *
 *     node .build/bench/transports.js [SECONDS OF A ROUND] [ROUNDS]
 */

import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { credentials } from "@grpc/grpc-js";

import type { CallFunctionRequest} from "../gen/callgate/v1/function_service.js";
import { FunctionServiceClient } from "../gen/callgate/v1/function_service.js";
import { type Measured, measure } from "../runner/measuring.js";
import { connect, encode, Float } from "../src/index.js";
import { serve } from "../test/server.js";
import { CallFunctionRequestSchema, FunctionService } from "./gen/callgate/v1/function_service_pb.js";

interface Contestant {
  readonly name: string;
  readonly call: () => Promise<void>;
  close(): void;
}

function grpcJs(target: string): Contestant {
  const client = new FunctionServiceClient(target, credentials.createInsecure());
  const request: CallFunctionRequest = {
    module: "math",
    function: "sqrt",
    args: [encode(new Float(16))],
    kwargs: new Map(),
    takesMore: false,
  };
  const call = (): Promise<void> =>
    new Promise((resolve, reject) => {
      client.callFunction(request, (error, answer) => {
        if (error) reject(error);
        else if (answer.value?.kind?.$case === "doubleValue" && answer.value.kind.value === 4) resolve();
        else reject(new Error("the answer is not 4.0"));
      });
    });
  return { name: "@grpc/grpc-js, bare stub", call, close: () => { client.close(); } };
}

function connectNode(target: string): Contestant {
  const client = createClient(FunctionService, createGrpcTransport({ baseUrl: `http://${target}` }));
  const request = create(CallFunctionRequestSchema, {
    module: "math",
    function: "sqrt",
    args: [{ kind: { case: "doubleValue", value: 16 } }],
  });
  const call = async (): Promise<void> => {
    const { value } = await client.callFunction(request);
    if (value?.kind.case !== "doubleValue" || value.kind.value !== 4) throw new Error("the answer is not 4.0");
  };
  return { name: "@connectrpc/connect-node, bare stub", call, close: () => undefined };
}

async function callgate(target: string): Promise<Contestant> {
  const gate = await connect(target);
  const call = async (): Promise<void> => {
    if ((await gate.call("math", "sqrt", new Float(16))) !== 4) throw new Error("the answer is not 4.0");
  };
  return { name: "this client (gate.call)", call, close: () => { gate.close(); } };
}

/** Each is first in its turn: who comes later finds warmer caches. */
function rotated<T>(items: readonly T[], by: number): T[] {
  return items.map((_, index) => items[(index + by) % items.length] as T);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

const seconds = Number(process.argv[2] ?? 2);
const rounds = Number(process.argv[3] ?? 5);

for (const transport of ["grpcio", "native"]) {
  const server = await serve(["--transport", transport], ["math"]);
  const contestants = [grpcJs(server.target), connectNode(server.target), await callgate(server.target)];
  const results = new Map<string, { alone: Measured[]; together: Measured[]; cpu: number[] }>();
  for (let round = 0; round < rounds; round++) {
    for (const { name, call } of rotated(contestants, round)) {
      const found = results.get(name) ?? { alone: [], together: [], cpu: [] };
      results.set(name, found);
      found.alone.push(await measure(1, seconds, call));
      const before = process.cpuUsage();
      const together = await measure(64, seconds, call);
      const used = process.cpuUsage(before);
      found.together.push(together);
      found.cpu.push((used.user + used.system) / (together.calls + 200));
    }
  }
  console.log(`\n${transport}: math.sqrt(16.0), medians of ${String(rounds)} rounds of ${String(seconds)} s`);
  console.log("| | one caller, p50 µs | 64 callers, calls/s | client CPU, µs a call |\n| --- | --- | --- | --- |");
  for (const [name, { alone, together, cpu }] of results) {
    const latency = median(alone.map((one) => one.p50 * 1e6));
    const throughput = median(together.map((one) => one.calls / one.seconds));
    console.log(`| ${name} | ${latency.toFixed(0)} | ${throughput.toFixed(0)} | ${median(cpu).toFixed(0)} |`);
  }
  for (const one of contestants) one.close();
  await server.stop();
}
process.exit(0); // connect-node keeps its connection open for a while
