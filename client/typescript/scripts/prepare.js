// What npm runs when the package is installed from a clone: compiles it. There npm neither installs a linked folder's
// dependencies, nor anybody's compiler, so this does it first.
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("..", import.meta.url));

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd: here, stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

const needed = ["typescript", "@grpc/grpc-js", "@bufbuild/protobuf"];
if (!needed.every((name) => existsSync(`${here}node_modules/${name}`))) {
  // The compiler is a development dependency: wanted here whatever the installing project leaves out.
  run("npm", "ci", "--ignore-scripts", "--include=dev");
}
rmSync(`${here}dist`, { recursive: true, force: true });
run(process.execPath, createRequire(import.meta.url).resolve("typescript/bin/tsc"), "-p", "tsconfig.json");
