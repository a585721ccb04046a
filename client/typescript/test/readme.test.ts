/** The README's install line and snippet, as a newcomer would use them: in a project of its own, from a copy of a clone. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { inClone, serve, TARGETS } from "./server.js";

const HERE = inClone("client/typescript");

/** What each line of the snippet says that it prints. */
function promised(snippet: string): string[] {
  const comments = [...snippet.matchAll(/console\.log\(.*; \/\/ (.*)$/gm)].map((found) => found[1] ?? "");
  return comments.flatMap((comment) => comment.split(", then "));
}

test("the README's install line and snippet work", { timeout: 300_000 }, async () => {
  const readme = readFileSync(join(HERE, "README.md"), "utf8");
  const install = /\$ npm install path\/to\/(\S+)/.exec(readme)?.[1] ?? "";
  const snippet = /```ts\n([^]*?)```/.exec(readme)?.[1] ?? "";
  const folder = mkdtempSync(join(tmpdir(), "callgate-readme-"));
  try {
    // What a clone would have: no node_modules, nothing built.
    const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: HERE }).toString().trim().split("\n");
    for (const file of files.filter((name) => existsSync(join(HERE, name)))) {
      mkdirSync(dirname(join(folder, install, file)), { recursive: true });
      cpSync(join(HERE, file), join(folder, install, file));
    }
    const project = join(folder, "project");
    mkdirSync(project);
    writeFileSync(join(project, "package.json"), '{ "name": "project", "type": "module", "private": true }');
    execFileSync("npm", ["install", "--no-audit", "--no-fund", join(folder, install)], { cwd: project, stdio: "pipe" });

    const server = await serve([], TARGETS);
    try {
      writeFileSync(join(project, "snippet.ts"), snippet.replace("localhost:50051", server.target));
      const compiler = join(HERE, "node_modules/typescript/bin/tsc");
      const options = ["--strict", "--target", "es2022", "--module", "nodenext", "--types", "node", "--skipLibCheck"];
      const types = ["--typeRoots", join(HERE, "node_modules/@types")];
      execFileSync(process.execPath, [compiler, ...options, ...types, "snippet.ts"], { cwd: project, stdio: "pipe" });
      // It ends by itself: nothing is left that would keep the process.
      const printed = execFileSync(process.execPath, ["snippet.js"], { cwd: project, timeout: 20_000 }).toString();
      assert.deepEqual(printed.trim().split("\n"), promised(snippet));
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
