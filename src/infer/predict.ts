import type { Applied } from "../nn/index.js";
import { softmax } from "../ops/index.js";
import type { OpenRun } from "../runs/open-run.js";
import { type InferOptions, infer } from "./infer.js";
import type { Pixels } from "./samples.js";

/** A class and the probability a model gives it. */
export interface RankedClass {
  readonly label: string;
  /** 0 to 1. */
  readonly probability: number;
}

/** How images are classified. */
export interface PredictOptions extends InferOptions {
  /** Classes an image; 5 by default. */
  readonly top?: number;
}

/**
 * Classifies images of one size.
 *
 * @returns for each image its most probable classes, best first
 * @throws CheckpointError if a logit is NaN or infinite
 */
export async function predict(
  run: OpenRun,
  pixels: Pixels,
  { top = 5, ...options }: PredictOptions = {},
): Promise<RankedClass[][]> {
  const read = ({ output }: Applied) => ({ logits: output, probabilities: softmax(output, 1) });
  const { probabilities } = await infer(run, pixels, read, options);
  return probabilities.map((row) =>
    run.classes
      .map((label, c) => ({ label, probability: row[c]! }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, top),
  );
}
