/** The function raised: its exception, whole. */

import { CallgateError } from "./errors.js";

/** One frame of a remote traceback. */
export interface Frame {
  /** The file on the server. */
  readonly file: string;
  /** The line, from 1. */
  readonly line: number;
  /** The function's qualified name. */
  readonly function: string;
  /** The source line, "" if unknown. */
  readonly source: string;
  /** How many times more the frame came in a row (recursion). */
  readonly repeated: number;
}

/** What a PythonError is made of. */
export interface RemoteException {
  /** The class's name: "ZeroDivisionError". */
  readonly type: string;
  /** The class's module: "builtins". */
  readonly module: string;
  /** The class's qualified name where it differs from the name, else "". */
  readonly qualname: string;
  /** str() of the exception. */
  readonly message: string;
  /** Its args. */
  readonly args: readonly unknown[];
  /** Whether args is empty because one of them has no Value form or did not fit. */
  readonly argsOmitted: boolean;
  /** Its notes (PEP 678). */
  readonly notes: readonly string[];
  /** Its traceback, outermost frame first; empty where the server keeps it. */
  readonly frames: readonly Frame[];
  /** What it was raised from. */
  readonly cause: PythonError | undefined;
  /** What was being handled when it was raised. */
  readonly context: PythonError | undefined;
  /** Whether the context is not to be shown. */
  readonly suppressContext: boolean;
  /** An ExceptionGroup's members. */
  readonly errors: readonly PythonError[];
  /** The builtin classes that it derives from, nearest first. */
  readonly builtinBases: readonly string[];
  /** Whether something was left out because it did not fit. */
  readonly truncated: boolean;
  /** Fields of the builtin exceptions that have their own: "errno", "filename", … */
  readonly attributes: ReadonlyMap<string, unknown>;
}

/** How a call's failure travelled, beside the exception. */
export interface FailureContext {
  /** The gRPC code's name: "UNKNOWN", or what a StatusError chose. */
  readonly code: string;
  /** "FUNCTION_RAISED", or "NO_VALUE_FORM" if the function returned what cannot travel. */
  readonly reason: string;
  /** More about the reason, by name. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The id under which the server logged the call. */
  readonly callId: string;
}

/**
 * The function raised. `cause` is the exception it was raised from, `errors` the members of an ExceptionGroup; printed
 * with its remote traceback.
 *
 * @example
 *     catch (error) {
 *       if (error instanceof PythonError && error.isA("LookupError")) …
 *     }
 */
export class PythonError extends CallgateError {
  // Getters on the prototype, not properties: a printed error shows its stack, and not all of this once more.
  readonly #remote: RemoteException;
  readonly #failure: FailureContext;

  static {
    Object.defineProperty(this.prototype, "name", { value: "PythonError", writable: true, configurable: true });
  }

  constructor(remote: RemoteException, failure: FailureContext) {
    super(remote.message, remote.cause ? { cause: remote.cause } : undefined);
    this.#remote = remote;
    this.#failure = failure;
    const local = (this.stack ?? "").replace(/^[^]*?(?=\n {4}at )/, "");
    const stack = `${heading(remote)}${remoteTraceback(remote)}${local}`;
    Object.defineProperty(this, "stack", { value: stack, writable: true, configurable: true });
  }

  /** The class with its module, but for builtins: "ZeroDivisionError", "decimal.InvalidOperation". */
  get pythonType(): string {
    return fullName(this.#remote);
  }

  /** The class's name: "ZeroDivisionError". */
  get type(): string {
    return this.#remote.type;
  }

  /** The class's module: "builtins", "decimal". */
  get module(): string {
    return this.#remote.module;
  }

  /** The class's qualified name where it differs from the name (a nested class), else "". */
  get qualname(): string {
    return this.#remote.qualname;
  }

  /** The builtin classes that it derives from, nearest first: ["LookupError", "Exception"]. */
  get builtinBases(): readonly string[] {
    return this.#remote.builtinBases;
  }

  /** Whether the exception is of a class, by name ("ZeroDivisionError", "shop.errors.NoSuchItem"), or a builtin base. */
  isA(name: string): boolean {
    return name === this.pythonType || this.#remote.builtinBases.includes(name);
  }

  /** The exception's args; empty if one of them has no Value form (see argsOmitted). */
  get args(): readonly unknown[] {
    return this.#remote.args;
  }

  /** Whether args is empty because one of them has no Value form or did not fit. */
  get argsOmitted(): boolean {
    return this.#remote.argsOmitted;
  }

  /** The exception's notes (PEP 678). */
  get notes(): readonly string[] {
    return this.#remote.notes;
  }

  /** The remote traceback, outermost frame first; empty where the server keeps it. */
  get frames(): readonly Frame[] {
    return this.#remote.frames;
  }

  /** The exception that was being handled when this one was raised. */
  get context(): PythonError | undefined {
    return this.#remote.context;
  }

  /** Whether the context is not to be shown (raise … from None). */
  get suppressContext(): boolean {
    return this.#remote.suppressContext;
  }

  /** The members of an ExceptionGroup; undefined for any other exception. */
  get errors(): readonly PythonError[] | undefined {
    return this.#remote.errors.length > 0 ? this.#remote.errors : undefined;
  }

  /** Fields of the builtin exceptions that have their own: "errno", "filename", "lineno", … */
  get attributes(): ReadonlyMap<string, unknown> {
    return this.#remote.attributes;
  }

  /** Whether something was left out because it did not fit into the answer's metadata. */
  get truncated(): boolean {
    return this.#remote.truncated;
  }

  /** The gRPC code's name: "UNKNOWN", or what a StatusError chose. */
  get code(): string {
    return this.#failure.code;
  }

  /** "FUNCTION_RAISED", or "NO_VALUE_FORM" if the function returned what cannot travel. */
  get reason(): string {
    return this.#failure.reason;
  }

  /** More about the reason, by name. */
  get metadata(): Readonly<Record<string, string>> {
    return this.#failure.metadata;
  }

  /** The id under which the server logged the call; "" if it told none. */
  get callId(): string {
    return this.#failure.callId;
  }
}

function fullName(remote: RemoteException): string {
  const name = remote.qualname || remote.type;
  return remote.module === "builtins" || remote.module === "" ? name : `${remote.module}.${name}`;
}

function heading(remote: RemoteException): string {
  const lines = [`PythonError [${fullName(remote)}]: ${remote.message}`, ...remote.notes.map((note) => `    ${note}`)];
  if (remote.context && !remote.suppressContext && !remote.cause) {
    lines.push(`    (raised while handling ${remote.context.pythonType}: ${remote.context.message})`);
  }
  return lines.join("\n");
}

function remoteTraceback(remote: RemoteException): string {
  if (remote.frames.length === 0) return "";
  const lines = ["", "  Remote traceback (most recent call last):"];
  for (const frame of remote.frames) {
    lines.push(`    File "${frame.file}", line ${String(frame.line)}, in ${frame.function}`);
    if (frame.source) lines.push(`      ${frame.source}`);
    if (frame.repeated) lines.push(`    [the frame above repeated ${String(frame.repeated)} more times]`);
  }
  return lines.join("\n");
}
