/** Text with lone surrogates, as POSIX file names have: UTF-8 with each surrogate encoded as if it were a character. */

import { Misfit } from "./limits.js";
import { strictUtf8 } from "./wire.js";

const LONE = /(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])/;

/** The bytes of a text that is not well formed. */
export function encodeSurrogates(text: string): Uint8Array {
  const parts: Buffer[] = [];
  let rest = text;
  for (let found = LONE.exec(rest); found; found = LONE.exec(rest)) {
    const unit = rest.charCodeAt(found.index);
    parts.push(Buffer.from(rest.slice(0, found.index), "utf8"));
    parts.push(Buffer.from([0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)]));
    rest = rest.slice(found.index + 1);
  }
  parts.push(Buffer.from(rest, "utf8"));
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * The text of such bytes. Two halves of a pair that Python keeps apart become one character: JavaScript's strings, being
 * UTF-16, know no difference.
 */
export function decodeSurrogates(bytes: Uint8Array): string {
  let text = "";
  let from = 0;
  try {
    for (let i = 0; i + 2 < bytes.length; i++) {
      const [lead = 0, second = 0, third = 0] = bytes.subarray(i, i + 3);
      if (lead !== 0xed || second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) continue;
      text += strictUtf8(bytes.subarray(from, i));
      text += String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f));
      i += 2;
      from = i + 1;
    }
    return text + strictUtf8(bytes.subarray(from));
  } catch {
    throw new Misfit("a surrogate_string_value is not WTF-8");
  }
}
