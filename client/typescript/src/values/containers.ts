/** Python's containers that JavaScript has no type of its own for. */

/**
 * A tuple: an array that stays a tuple in Python. `Tuple.of(1, "x")`, `Tuple.from(items)`; it can be destructured,
 * indexed and iterated over as any array.
 */
export class Tuple<T = unknown> extends Array<T> {
  // So that map() and filter() give plain arrays: not every array made of a tuple is meant to be one.
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** A tuple of these elements. */
  static override of<T extends readonly unknown[]>(...items: T): Tuple<T[number]> {
    return Tuple.from<T[number]>(items);
  }

  /** A tuple of an iterable's elements. */
  static override from<T>(items: Iterable<T> | ArrayLike<T>): Tuple<T> {
    const made = new Tuple<T>();
    // One by one: Tuple(...[3]) would be three empty places.
    for (const item of Array.from(items)) made.push(item);
    return made;
  }
}

/** A frozenset: a Set that cannot be changed. */
export class FrozenSet<T = unknown> extends Set<T> {
  constructor(items: Iterable<T> = []) {
    super();
    for (const item of items) super.add(item);
  }

  /** Refused: a FrozenSet cannot be changed. */
  override add(): never {
    throw new TypeError("a FrozenSet cannot be changed");
  }

  /** Refused: a FrozenSet cannot be changed. */
  override delete(): never {
    throw new TypeError("a FrozenSet cannot be changed");
  }

  /** Refused: a FrozenSet cannot be changed. */
  override clear(): never {
    throw new TypeError("a FrozenSet cannot be changed");
  }
}

/** Which Python idiom a record is of; "" for some client's own. */
export type RecordForm = "" | "dataclass" | "namedtuple" | "enum" | "pydantic" | "attrs";

/** The forms in the order of the numbers of `callgate.v1.RecordForm`. */
export const RECORD_FORMS: readonly RecordForm[] = ["", "dataclass", "namedtuple", "enum", "pydantic", "attrs"];

/**
 * An instance of a Python class: a dataclass, a namedtuple, an Enum's member (fields "name" and "value"), a pydantic
 * model, an attrs class.
 */
export class PythonRecord {
  /** The fields, in order. */
  readonly fields: ReadonlyMap<string, unknown>;

  constructor(
    /** The class: "module:Qualified.name". */
    readonly typeName: string,
    fields: ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>,
    /** Which idiom it is. */
    readonly form: RecordForm = "",
  ) {
    if (!RECORD_FORMS.includes(form)) throw new RangeError(`form is one of ${RECORD_FORMS.join(", ")}, not ${form}`);
    this.fields = fields instanceof Map ? fields : new Map(Object.entries(fields));
  }

  /** A field's value; undefined if there is no such field. */
  get(name: string): unknown {
    return this.fields.get(name);
  }

  /** The fields as a plain object: `const { symbol, price } = record.toObject()`. */
  toObject(): Record<string, unknown> {
    return Object.fromEntries(this.fields);
  }
}
