/** Python's scalars that JavaScript has no type of its own for. */

/**
 * A float, whatever its digits: `new Float(2)` is Python's 2.0, where the plain number 2 is its int 2.
 *
 * Only whole numbers need it; 2.5, NaN and -0 are floats anyway. It calculates like a number: `new Float(2) + 1`.
 */
export class Float {
  constructor(
    /** The number. */
    readonly value: number,
  ) {
    if (typeof value !== "number") throw new TypeError(`a Float is made of a number, not of a ${typeof value}`);
  }

  /** Floats of numbers, for a list of them: `Float.list([1, 2.5])`. */
  static list(values: Iterable<number>): Float[] {
    return Array.from(values, (value) => new Float(value));
  }

  /** The number, for arithmetic. */
  valueOf(): number {
    return this.value;
  }

  /** The number's text. */
  toString(): string {
    return String(this.value);
  }

  /** The number, for JSON. */
  toJSON(): number {
    return this.value;
  }
}

/** A complex number. */
export class Complex {
  constructor(
    /** The real part. */
    readonly re: number,
    /** The imaginary part. */
    readonly im: number,
  ) {}

  /** As Python writes it, roughly: "1.5-2j". */
  toString(): string {
    return `${String(this.re)}${this.im < 0 || Object.is(this.im, -0) ? "-" : "+"}${String(Math.abs(this.im))}j`;
  }
}

// The notation of str(Decimal): no underscores, blanks or digits of other scripts.
const DECIMAL = /^-?(?:[0-9]+(?:\.[0-9]*)?(?:E[+-]?[0-9]+)?|\.[0-9]+(?:E[+-]?[0-9]+)?|Infinity|s?NaN[0-9]*)$/i;

/** A decimal.Decimal by its text, since a number would lose digits: `new Decimal("1.50")`. */
export class Decimal {
  /** In the notation of str(Decimal): "1.50", "-0E+3", "NaN". */
  readonly text: string;

  constructor(text: string) {
    if (!DECIMAL.test(text)) throw new RangeError(`no decimal number: ${JSON.stringify(text.slice(0, 40))}`);
    this.text = text;
  }

  /** The text. */
  toString(): string {
    return this.text;
  }

  /** The nearest number. */
  toNumber(): number {
    return /nan/i.test(this.text) ? NaN : Number(this.text.replace(/infinity/i, "Infinity"));
  }

  /** The text, for JSON. */
  toJSON(): string {
    return this.text;
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A uuid.UUID: `new Uuid("12345678-1234-5678-1234-567812345678")`, or of `crypto.randomUUID()`. */
export class Uuid {
  /** In lower case, with hyphens. */
  readonly text: string;

  constructor(text: string) {
    const lower = text.toLowerCase();
    if (!UUID.test(lower)) throw new RangeError(`no UUID: ${JSON.stringify(text.slice(0, 40))}`);
    this.text = lower;
  }

  /** The UUID of 16 bytes, big-endian. */
  static fromBytes(bytes: Uint8Array): Uuid {
    const hex = Buffer.from(bytes).toString("hex");
    return new Uuid(hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"));
  }

  /** Its 16 bytes, big-endian. */
  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.from(this.text.replaceAll("-", ""), "hex"));
  }

  /** The text. */
  toString(): string {
    return this.text;
  }

  /** The text, for JSON. */
  toJSON(): string {
    return this.text;
  }
}
