import type { Tensor } from "../ir/index.js";
import type { Applied } from "../nn/index.js";
import type { Task } from "../tasks/index.js";

/** Applies a model as its task evaluates it. Attention is recorded for the original images only. */
export function applyTask(
  { forward }: Task,
  apply: (images: Tensor) => Applied,
  images: Tensor,
  classes: readonly string[],
): Applied {
  const applied = apply(images);
  if (forward === undefined) return applied;
  const again = (x: Tensor) => (x === images ? applied : apply(x)).output;
  return { ...applied, output: forward(again, images, classes) };
}
