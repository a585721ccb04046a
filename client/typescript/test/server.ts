/** A real server for the tests: the command in $CALLGATE, else the clone's own environment. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

// From .build/test/ to the clone's root.
const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));

/** A file of the clone. */
export function inClone(path: string): string {
  return ROOT + path;
}

// A test that fails or runs out of time leaves its server behind, and Node.js does not end before its child does.
const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
});

/** A server that runs. */
export interface Server {
  readonly target: string;
  /** End it, with a signal; resolves when it has. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** The functions of the tests: the conformance suite's, the examples, and some of the standard library. */
export const TARGETS: readonly string[] = [
  ...["math", "json.dumps", "json.loads", "builtins.len", "builtins.abs", "builtins.sum"],
  inClone("examples/"),
  inClone("tests/conformance/functions/conformance_functions.py"),
];

/** Start a server; resolves once it tells its address. */
export async function serve(
  options: readonly string[] = [],
  targets: readonly string[] = TARGETS,
  listen = "127.0.0.1:0",
): Promise<Server> {
  const command = process.env.CALLGATE ?? inClone(".venv/bin/callgate");
  if (command.includes("/") && !existsSync(command)) {
    throw new Error(
      `${command} is missing, and these tests want a real server: run \`make .venv/.dev\` in the clone, or set CALLGATE ` +
        "to the callgate command",
    );
  }
  const child = spawn(command, ["serve", ...targets, "--listen", listen, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: inClone("tests"), // where no callgate.toml is
  });
  running.add(child);
  const ended = new Promise<void>((resolve) => child.once("exit", () => { running.delete(child); resolve(); }));
  const target = await addressOf(child);
  return {
    target,
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      await ended;
    },
  };
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    child.once("error", reject);
    child.once("exit", (code) => { reject(new Error(`the server ended with ${String(code)}: ${said}`)); });
    child.stderr?.on("data", (data: Buffer) => {
      said = (said + data.toString()).slice(-4000);
    });
    if (!child.stdout) return;
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      said += `${line}\n`;
      const found = /serves on (\S+)/.exec(line);
      if (found?.[1] !== undefined) resolve(found[1]);
    });
  });
}
