/**
 * Every error that this client makes.
 *
 *     Error
 *     └── CallgateError
 *         ├── PythonError        the function raised                    (python_error.ts)
 *         ├── GateError          getting to the function failed: .code, .reason
 *         ├── ValueFormError     an argument has no form on the wire: .path
 *         └── ValueDecodeError   what came is no value of Python: .path
 */

/** The base of all errors that this client makes. */
export class CallgateError extends Error {
  static {
    // On the prototype, so that no error shows it as a property of its own.
    Object.defineProperty(this.prototype, "name", { value: "CallgateError", writable: true, configurable: true });
  }
}

/** What a GateError is made of. */
export interface GateErrorInit {
  /** The canonical gRPC code's name: "NOT_FOUND". */
  readonly code: string;
  /** By name of `callgate.v1.ErrorReason` without its prefix; "" if gRPC itself failed. */
  readonly reason?: string;
  /** More about the reason, by name. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Milliseconds after which a retry is welcome. */
  readonly retryAfterMs?: number | undefined;
  /** The id under which the server logged the call. */
  readonly callId?: string;
  /** What led to it: an AbortSignal's reason. */
  readonly cause?: unknown;
}

/** Getting to the function failed; unless the reason says otherwise, it did not run. Branch on `reason`, not on text. */
export class GateError extends CallgateError {
  /** The canonical gRPC code's name: "NOT_FOUND". */
  readonly code: string;
  /** Why, by name of `callgate.v1.ErrorReason` without its prefix ("FUNCTION_NOT_FOUND"); "" if gRPC itself failed. */
  readonly reason: string;
  /** More about the reason, by name. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds after which a retry is welcome; undefined if the server said nothing. */
  readonly retryAfterMs: number | undefined;
  /** The id under which the server logged the call; "" if it told none. */
  readonly callId: string;

  static {
    Object.defineProperty(this.prototype, "name", { value: "GateError", writable: true, configurable: true });
  }

  constructor(message: string, init: GateErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.reason = init.reason ?? "";
    this.metadata = init.metadata ?? {};
    this.retryAfterMs = init.retryAfterMs;
    this.callId = init.callId ?? "";
  }
}

function located(problem: string, path: string): string {
  return path ? `${path}: ${problem}` : problem;
}

/** A JavaScript value has no form on the wire; nothing was sent. */
export class ValueFormError extends CallgateError {
  static {
    Object.defineProperty(this.prototype, "name", { value: "ValueFormError", writable: true, configurable: true });
  }

  constructor(
    /** What is wrong with it. */
    readonly problem: string,
    /** Where it stands: "args[0]['model']". */
    readonly path = "",
  ) {
    super(located(problem, path));
  }
}

/** A Value on the wire is no value that Python could hold, or goes beyond a limit. */
export class ValueDecodeError extends CallgateError {
  static {
    Object.defineProperty(this.prototype, "name", { value: "ValueDecodeError", writable: true, configurable: true });
  }

  constructor(
    /** What is wrong with it. */
    readonly problem: string,
    /** Where it stands: "result[3]['model']". */
    readonly path = "",
  ) {
    super(located(problem, path));
  }
}
