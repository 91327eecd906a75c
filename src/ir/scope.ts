let scope = "";

/** The path of the module that is being called, `""` outside all modules. */
export function currentScope(): string {
  return scope;
}

/** Runs `body` with `name` added to the scope's path; tensors made inside carry it. */
export function withScope<R>(name: string, body: () => R): R {
  const outer = scope;
  scope = outer === "" ? name : `${outer}.${name}`;
  try {
    return body();
  } finally {
    scope = outer;
  }
}
