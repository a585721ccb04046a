// The last step of `make stubs`: mends what ts-proto generates where it is laxer than protobuf.
//
// - A message that ends before or after the length it was announced with is refused, as every other protobuf parser does:
//   generated as it is, half a list became a whole, shorter one.
// - A double without presence is left out only if it is +0: `!== 0` is false for -0, whose sign would be lost.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CUT = `throw new globalThis.RangeError("a message does not end where it says");`;
const mends = [
  { find: /^( +)return message;$/gm, put: `$1if (reader.pos !== end) {\n$1  ${CUT}\n$1}\n$1return message;`, count: 0 },
  { find: /^( +)(while \(reader\.pos < end2\) \{\n[^}]*\n\1\}\n)/gm, put: `$1$2$1if (reader.pos !== end2) {\n$1  ${CUT}\n$1}\n`, count: 0 },
  { find: /if \(message\.(\w+) !== 0\) \{(\n +writer\.uint32\(\d+\)\.double)/g, put: "if (!Object.is(message.$1, 0)) {$2", count: 0 },
];

const [folder] = process.argv.slice(2);
for (const name of readdirSync(folder, { recursive: true })) {
  const path = join(folder, name);
  if (!name.endsWith(".ts")) continue;
  let text = readFileSync(path, "utf8");
  for (const mend of mends) {
    text = text.replace(mend.find, (...found) => {
      mend.count += 1;
      return mend.put.replace(/\$([12])/g, (_, group) => found[group]);
    });
  }
  writeFileSync(path, text);
}
for (const { find, count } of mends) {
  if (count === 0) throw new Error(`${find} was not found: has ts-proto changed? (see ${import.meta.url})`);
}
