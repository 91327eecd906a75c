import { type ModelState, stateShapes } from "../nn/index.js";
import type { Checkpoint, Position } from "../runs/checkpoint.js";
import { elementCount } from "../util/shape.js";
import type { Network } from "./training-session.js";

const START: Position = {
  epoch: 0,
  batch: 0,
  step: 0,
  annealed: {},
  lossSum: 0,
  measured: 0,
  best: 0,
  bestEpoch: 0,
};

/** A run before its first step, with the given values of parameters and buffers; slots are zeros. */
export function beginAt({ model, optimizer }: Network, values: ModelState): Checkpoint {
  const state: Record<string, Float32Array> = {};
  for (const [name, shape] of Object.entries(stateShapes(model, optimizer))) {
    state[name] = values[name] ?? new Float32Array(elementCount(shape));
  }
  return { state, position: START };
}
