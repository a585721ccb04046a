/** Messages from bytes, strictly: text that is no UTF-8, or bytes left over, make no message. */

import { BinaryReader } from "@bufbuild/protobuf/wire";

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 to text; throws where TextDecoder's default would put U+FFFD for what is none. */
export function strictUtf8(bytes: Uint8Array): string {
  // Buffer's decoder is the faster one, and silent about bad bytes.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  return text.includes("\uFFFD") ? STRICT.decode(bytes) : text;
}

/** A message type of the generated stubs. */
export interface MessageType<T> {
  decode(input: BinaryReader, length?: number): T;
}

/** A message from its bytes; throws if they are none. */
export function parse<T>(type: MessageType<T>, bytes: Uint8Array): T {
  const reader = new BinaryReader(bytes, strictUtf8);
  const message = type.decode(reader);
  if (reader.pos !== reader.len) throw new RangeError("the message ends within a field");
  return message;
}
