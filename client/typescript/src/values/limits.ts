/** How deep values may nest and how much they may hold, counted while one message is converted. */

/** Limits on the values of one message. */
export interface Limits {
  /** How deep containers may nest; 100 is what JSON parsers commonly take. */
  readonly depth: number;
  /** How many elements all containers may have together; 10 million is arbitrary: about 1 GB of objects. */
  readonly elements: number;
  /** How many bytes strings, bytes and arrays may have together; 2 GiB is what protobuf takes. */
  readonly bytes: number;
}

/** What holds unless told otherwise. */
export const DEFAULT_LIMITS: Limits = { depth: 100, elements: 10_000_000, bytes: 2 ** 31 - 1 };

/** A container at a depth that is a multiple of this is serialized on its own, for the sake of protobuf's parsers. */
export const NESTING_STRIDE = 20;

/** What is wrong with a value, on its way out to where its whole path is known. Never leaves this folder. */
export class Misfit extends Error {
  /** The containers on the way, innermost first, with their steps: only where the depth ran out. */
  readonly trail: { holder: unknown; step: string }[] = [];

  constructor(
    readonly problem: string,
    public path = "",
    readonly tooDeep = false,
  ) {
    super(problem);
  }

  /** Add the step from a container to the one inside it. */
  within(step: string, holder: unknown): this {
    this.path = step + this.path;
    if (this.tooDeep) this.trail.push({ holder, step });
    return this;
  }
}

/** A step that leads to a misfit; rethrows what is none. */
export function at(error: unknown, step: string, holder?: unknown): Error {
  if (error instanceof Misfit) return error.within(step, holder);
  return error instanceof Error ? error : new Error(String(error));
}

/** What is left of the limits. */
export class Budget {
  private elements: number;
  private bytes: number;
  /** How many Values serialized on their own are being decoded, one inside the other. */
  nested = 0;

  constructor(readonly limits: Limits) {
    this.elements = limits.elements;
    this.bytes = limits.bytes;
  }

  /** Take a container of `count` elements at `depth` (1 is the outermost) off. */
  enter(depth: number, count: number): void {
    if (depth > this.limits.depth) {
      throw new Misfit(`nested more than ${String(this.limits.depth)} levels deep`, "", true);
    }
    this.elements -= count;
    if (this.elements < 0) throw new Misfit(`more than ${String(this.limits.elements)} elements in all`);
  }

  /** Take bytes off. */
  spend(count: number): void {
    this.bytes -= count;
    if (this.bytes < 0) throw new Misfit(`more than ${String(this.limits.bytes)} bytes in all`);
  }

  /** How many elements are left. */
  get elementsLeft(): number {
    return this.elements;
  }
}

/** A key as a path shows it: as Python writes plain ones, cut; the type's name for the rest. */
export function shortKey(key: unknown): string {
  if (typeof key === "string") {
    const text = JSON.stringify(key.slice(0, 41)).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
    return text.length <= 41 ? `'${text}'` : `'${text.slice(0, 39)}…'`;
  }
  if (typeof key === "bigint") return key > -(2n ** 256n) && key < 2n ** 256n ? String(key) : "<int>";
  if (typeof key === "number") return String(key);
  if (typeof key === "boolean") return key ? "True" : "False";
  if (key === null) return "None";
  return `<${typeof key === "object" ? key.constructor.name : typeof key}>`;
}
