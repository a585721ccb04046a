/** The golden values and the bytes that every decoder must refuse: the conformance suite's own, without a server. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";

import { Value } from "../gen/callgate/v1/value.js";
import { decode, encode, ValueDecodeError } from "../src/index.js";
import { inClone } from "./server.js";

interface Cases<T> {
  readonly cases: readonly T[];
}

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- a claim that reads better than a cast
function casesOf<T>(name: string): readonly T[] {
  const file = readFileSync(inClone(`tests/conformance/cases/${name}.yaml`), "utf8");
  const customTags = [
    { tag: "!hex", resolve: (text: string) => text },
    { tag: "!re", resolve: (text: string) => new RegExp(text, "u") },
  ];
  return (parse(file, { customTags }) as Cases<T>).cases;
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

interface Golden {
  readonly name: string;
  readonly value: string;
  readonly also?: readonly string[];
}

const golden = casesOf<Golden>("values").filter((one) => typeof one.value === "string");

test("there are golden values", () => {
  assert.ok(golden.length >= 60);
});

for (const { name, value, also = [] } of golden) {
  test(`golden value: ${name}`, () => {
    for (const hex of [value, ...also]) {
      const made = encode(decode(bytesOf(hex), { exact: true }));
      assert.equal(Buffer.from(Value.encode(made).finish()).toString("hex"), value);
    }
  });
}

interface Bad {
  readonly name: string;
  readonly decode: string;
  readonly refused: { readonly message?: RegExp };
}

for (const { name, decode: hex, refused } of casesOf<Bad>("bad_values")) {
  test(name, () => {
    assert.throws(
      () => decode(bytesOf(hex), { exact: true }),
      (error) => error instanceof ValueDecodeError && (refused.message ?? /^result/).test(error.message),
    );
  });
}
