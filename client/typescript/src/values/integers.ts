/** Integers beyond 64 bits: two's complement, big-endian, as short as possible (docs/adr/0002-integers.md). */

/** The bytes of an integer. */
export function bigIntBytes(value: bigint): Uint8Array {
  const hex = (value < 0n ? ~value : value).toString(16);
  const bits = 4 * (hex.length - 1) + (32 - Math.clz32(parseInt(hex.charAt(0), 16))) + 1; // one for the sign
  const size = Math.ceil(bits / 8);
  return new Uint8Array(Buffer.from(BigInt.asUintN(size * 8, value).toString(16).padStart(size * 2, "0"), "hex"));
}

/** The integer of its bytes, of which there are some. */
export function bytesToBigInt(bytes: Uint8Array): bigint {
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString("hex")}`));
}

/** An integer as JavaScript has it best: a number where that is exact, else a bigint. */
export function integer(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
