import { Ambient } from "../util/ambient.js";
import type { Target } from "./types.js";

const target = new Ambient<Target>("cpu");

/** Where the graph that is being traced is to run; `"cpu"` unless said. */
export function currentTarget(): Target {
  return target.current;
}

/** Runs `body`, which traces for a target. */
export function withTarget<R>(device: Target, body: () => R): R {
  return target.run(device, body);
}
