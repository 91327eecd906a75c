import type { Target } from "./types.js";

let current: Target = "cpu";

/** Where the graph that is being traced is to run; `"cpu"` unless said. */
export function currentTarget(): Target {
  return current;
}

/** Runs `body`, which traces for a target. */
export function withTarget<R>(target: Target, body: () => R): R {
  const outer = current;
  current = target;
  try {
    return body();
  } finally {
    current = outer;
  }
}
