/** What a client learns about a function before calling it. */

import { FunctionKind, type FunctionMessage, ParameterKind } from "../gen/callgate/v1/function.js";

/** One parameter. */
export interface ParameterInfo {
  /** Its name. */
  readonly name: string;
  /** How arguments bind to it, in the words of Python's inspect module. */
  readonly kind: string;
  /** Its annotation as written, "" if it has none. */
  readonly type: string;
  /** repr() of its default; undefined if it has none. */
  readonly default: string | undefined;
  /** Whether a call must give it. */
  readonly required: boolean;
}

/** One function that this client may call. */
export interface FunctionInfo {
  /** Its module. */
  readonly module: string;
  /** Its name. */
  readonly function: string;
  /** Its signature, "" if Python cannot tell. */
  readonly signature: string;
  /** Its parameters, empty if Python cannot tell. */
  readonly parameters: readonly ParameterInfo[];
  /** Its return annotation, "" if it has none. */
  readonly returnType: string;
  /** Its docstring. */
  readonly doc: string;
  /** "function", "generator", "coroutine" or "async generator". */
  readonly kind: string;
  /** The name of the executor that runs it. */
  readonly executor: string;
  /** That executor's kind. */
  readonly executorKind: string;
  /** Why it runs elsewhere than its settings say, "" if it does not. */
  readonly note: string;
  /** The server's own limit on a call's time; undefined if there is none. */
  readonly timeoutMs: number | undefined;
}

const KINDS: ReadonlyMap<FunctionKind, string> = new Map([
  [FunctionKind.FUNCTION_KIND_PLAIN, "function"],
  [FunctionKind.FUNCTION_KIND_GENERATOR, "generator"],
  [FunctionKind.FUNCTION_KIND_COROUTINE, "coroutine"],
  [FunctionKind.FUNCTION_KIND_ASYNC_GENERATOR, "async generator"],
]);
const PARAMETER_KINDS: ReadonlyMap<ParameterKind, string> = new Map([
  [ParameterKind.PARAMETER_KIND_POSITIONAL_ONLY, "positional-only"],
  [ParameterKind.PARAMETER_KIND_POSITIONAL_OR_KEYWORD, "positional or keyword"],
  [ParameterKind.PARAMETER_KIND_VAR_POSITIONAL, "variadic positional"],
  [ParameterKind.PARAMETER_KIND_KEYWORD_ONLY, "keyword-only"],
  [ParameterKind.PARAMETER_KIND_VAR_KEYWORD, "variadic keyword"],
]);

/** A FunctionInfo of its message. */
export function functionInfo(message: FunctionMessage): FunctionInfo {
  const { module, signature, returnType, doc, executor, executorKind, executorNote, timeout } = message;
  return {
    module,
    function: message.function,
    signature,
    parameters: message.parameters.map(({ name, kind, type, defaultRepr, required }) => ({
      name,
      kind: PARAMETER_KINDS.get(kind) ?? "unknown",
      type,
      default: required || !defaultRepr ? undefined : defaultRepr,
      required,
    })),
    returnType,
    doc,
    kind: KINDS.get(message.kind) ?? "unknown",
    executor,
    executorKind,
    note: executorNote,
    timeoutMs: timeout && Number(timeout.seconds) * 1000 + timeout.nanos / 1e6,
  };
}
