import { UsageError } from "../errors/index.js";
import type { OpenRun } from "../runs/open-run.js";
import { createTask, type Prediction } from "../tasks/index.js";
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
 * What a run's model says of images of one size, as its task tells it.
 *
 * @throws CheckpointError if an output is NaN or infinite
 */
export async function predictions(
  run: OpenRun,
  pixels: Pixels,
  options: InferOptions = {},
): Promise<Prediction[]> {
  const task = createTask(run.task, run.config);
  const { answers } = await infer(
    run,
    pixels,
    ({ output }) => ({ output, answers: task.answer(output) }),
    options,
  );
  return answers.map((answer) => task.present(answer, run.classes));
}

/**
 * Classifies images of one size.
 *
 * @returns for each image its most probable classes, best first
 * @throws UsageError if the run's task is no classification
 * @throws CheckpointError if a logit is NaN or infinite
 */
export async function predict(
  run: OpenRun,
  pixels: Pixels,
  { top = 5, ...options }: PredictOptions = {},
): Promise<RankedClass[][]> {
  if (run.task !== "classification") {
    throw new UsageError(`the run's task is ${run.task}; it gives no classes`, {
      hint: "predictions() tells what a run of any task says of images",
    });
  }
  const found = await predictions(run, pixels, options);
  return found.map(({ items }) => rankedClasses(items, top));
}

/** The most probable classes of a prediction. */
export function rankedClasses(items: Prediction["items"], top: number): RankedClass[] {
  return items.slice(0, top).map(({ label, value }) => ({ label, probability: value }));
}
