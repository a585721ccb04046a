/** Connecting: what is wrong is told there, in a sentence. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { connect, type ConnectOptions, GateError } from "../src/index.js";
import { inClone, serve } from "./server.js";

const LIMIT = { timeout: 30_000 };

/** A port where nothing listens: one that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("nobody there is told at once, with what to do", LIMIT, async () => {
  await assert.rejects(connect(`127.0.0.1:${String(await freePort())}`, { waitMs: 300 }), (error) => {
    return error instanceof GateError && error.code === "UNAVAILABLE" && error.message.includes('callgate serve');
  });
});

test("options that contradict each other or cannot be are refused", LIMIT, async () => {
  const refused: [string, ConnectOptions, RegExp][] = [
    ["localhost", {}, /write HOST:PORT/],
    ["http://localhost:1", {}, /HOST:PORT alone/],
    ["localhost:99999", {}, /1 to 65535/],
    ["localhost:1", { certificate: "x" }, /go together/],
    ["localhost:1", { tls: false, ca: "x" }, /contradicts/],
    ["localhost:1", { serverName: "x" }, /needs tls/],
    ["localhost:1", { ca: "/no/such/file" }, /ca: .*cannot be read/],
    ["localhost:1", { ca: Buffer.from("x") }, /not PEM/],
    ["localhost:1", { token: "two words" }, /one word/],
    ["localhost:1", { inFlight: 0 }, /inFlight is 0/],
    ["localhost:1", { maxMessage: 1.5 }, /maxMessage is 1.5/],
    ["localhost:1", { timeoutMs: -1 }, /timeoutMs is -1/],
  ];
  for (const [target, options, message] of refused) await assert.rejects(connect(target, options), { message });
});

test("a token that is wrong is told when connecting", LIMIT, async () => {
  const folder = mkdtempSync(join(tmpdir(), "callgate-"));
  const tokens = join(folder, "tokens");
  const command = process.env.CALLGATE ?? inClone(".venv/bin/callgate");
  const made = execFileSync(command, ["token", "tester", "--file", tokens]).toString();
  const token = /\S{20,}/.exec(made)?.[0] ?? "";
  const server = await serve(["--tokens", tokens], ["math"]);
  await assert.rejects(connect(server.target, { token: "wrong" }), (error) => {
    return error instanceof GateError && error.reason === "UNAUTHENTICATED";
  });
  const gate = await connect(server.target, { token });
  assert.equal(await gate.call("math", "sqrt", 16), 4);
  gate.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

test("a Unix socket, and a lazy connection that survives the server's restart", LIMIT, async () => {
  const folder = mkdtempSync(join(tmpdir(), "callgate-"));
  const target = `unix:${join(folder, "socket")}`;
  const gate = await connect(target, { waitMs: null });
  for (let round = 0; round < 2; round++) {
    const server = await serve([], ["math"], target);
    // The first attempts may meet the back-off of those that failed before.
    for (let answer: unknown; answer !== 4; ) {
      answer = await gate.call("math", "sqrt", 16).catch((error: unknown) => {
        assert.ok(error instanceof GateError && error.code === "UNAVAILABLE");
      });
      await new Promise(setImmediate); // the connection's own events have their turn
    }
    await server.stop();
  }
  gate.close();
  rmSync(folder, { recursive: true });
});
