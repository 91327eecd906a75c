import { Ambient } from "../util/ambient.js";

const scope = new Ambient("");

/** The path of the module being called, `""` outside all modules. */
export function currentScope(): string {
  return scope.current;
}

/** Runs `body` with `name` added to the scope's path; tensors made inside carry it. */
export function withScope<R>(name: string, body: () => R): R {
  return scope.run(scope.current === "" ? name : `${scope.current}.${name}`, body);
}

/** Runs `body` at an absolute path: a tensor that replaces another keeps that one's scope. */
export function atScope<R>(path: string, body: () => R): R {
  return scope.run(path, body);
}
