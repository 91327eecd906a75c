import type { Tensor } from "../ir/index.js";
import type { ModelState, Module } from "../nn/index.js";
import { constant } from "../ops/index.js";

/** Weights as constants of the graph, so that ONNX Runtime can fold batch norm and block its layouts. */
export function freeze(model: Module, state: ModelState): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    model.namedParameters().map(([name, { shape }]) => [name, constant(state[name]!, shape)]),
  );
}
