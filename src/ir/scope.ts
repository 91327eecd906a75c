let scope = "";

/** The path of the module that is being called, `""` outside all modules. */
export function currentScope(): string {
  return scope;
}

/** Runs `body` with `name` added to the scope's path; tensors made inside carry it. */
export function withScope<R>(name: string, body: () => R): R {
  return atScope(scope === "" ? name : `${scope}.${name}`, body);
}

/** Runs `body` at a path, wherever it is called from: what stands for a tensor goes under that tensor's scope. */
export function atScope<R>(path: string, body: () => R): R {
  const outer = scope;
  scope = path;
  try {
    return body();
  } finally {
    scope = outer;
  }
}
