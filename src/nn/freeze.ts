import { CheckpointError } from "../errors/index.js";
import type { Tensor } from "../ir/index.js";
import { constant } from "../ops/index.js";
import { elementCount } from "../util/shape.js";
import type { Module } from "./module.js";
import type { ModelState } from "./state.js";

/**
 * Turns weights into constants of a graph, by state name, so that batch norms fold into kernels and layouts are
 * converted once.
 *
 * @throws CheckpointError if a value is missing from the state or has the wrong size
 */
export function freeze(model: Module, state: ModelState): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    model.namedParameters().map(([name, { shape }]) => {
      const values = state[name];
      if (values?.length !== elementCount(shape)) {
        throw new CheckpointError(
          `the model has ${elementCount(shape)} values in "${name}", the state ${values?.length ?? "none"}`,
          { hint: "give the state of a model with the same options" },
        );
      }
      return [name, constant(values, shape, "float32", name)];
    }),
  );
}
