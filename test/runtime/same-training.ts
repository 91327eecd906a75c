import { expect } from "vitest";
import type { TrainedNetwork } from "./small-network.js";

/** Expects losses and state of two trainings to agree to 1 part in 10,000. */
export function expectSameTraining(ours: TrainedNetwork, reference: TrainedNetwork): void {
  expect(ours.losses.length).toBe(reference.losses.length);
  expect(Object.keys(ours.norms)).toEqual(Object.keys(reference.norms));
  const pairs = [
    ...reference.losses.map((loss, step) => [`loss ${step}`, ours.losses[step]!, loss] as const),
    ...Object.entries(reference.norms).map(([name, norm]) => [name, ours.norms[name]!, norm] as const),
  ];
  // Gradients of biases before batch normalisation are zero but for rounding.
  const off = pairs.filter(([, a, b]) => !(Math.abs(a - b) <= 1e-4 * Math.abs(b) + 1e-6));
  expect(off).toEqual([]);
}
