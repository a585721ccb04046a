/** A remote module as an object whose methods are its functions. */

/** A module's functions, awaited. */
export type Remote<M extends object> = {
  readonly [name in keyof M]: M[name] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

type Call = (module: string, name: string, args: readonly unknown[]) => Promise<unknown>;

/** A module whose methods are calls. */
export function remote<M extends object>(module: string, call: Call): Remote<M> {
  return new Proxy(Object.create(null) as Remote<M>, {
    get: (_, name) =>
      // `then`: or `await gate.module(…)` would call a function of that name.
      typeof name === "string" && name !== "then"
        ? (...args: readonly unknown[]) => call(module, name, args)
        : undefined,
  });
}
