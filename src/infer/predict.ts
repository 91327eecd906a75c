import { UsageError } from "../errors/index.js";
import type { OpenRun } from "../runs/open-run.js";
import { createTask, type Prediction } from "../tasks/index.js";
import { type InferOptions, infer } from "./infer.js";
import type { Pixels } from "./samples.js";

/** A class and its predicted probability. */
export interface RankedClass {
  readonly label: string;
  /** 0 to 1. */
  readonly probability: number;
}

/** Options of {@link predict}. */
export interface PredictOptions extends InferOptions {
  /** Number of classes per image. Defaults to 5. */
  readonly top?: number;
}

/**
 * Predictions of a run's model for images of one size, as its task formats them.
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
 * @returns the most probable classes of each image, best first
 * @throws UsageError if the run's task is not classification
 * @throws CheckpointError if a logit is NaN or infinite
 */
export async function predict(
  run: OpenRun,
  pixels: Pixels,
  { top = 5, ...options }: PredictOptions = {},
): Promise<RankedClass[][]> {
  if (run.task !== "classification") {
    throw new UsageError(`the run's task is ${run.task}, which has no classes`, {
      hint: "use predictions(), which works for every task",
    });
  }
  const found = await predictions(run, pixels, options);
  return found.map(({ items }) => rankedClasses(items, top));
}

/** The most probable classes of a prediction. */
export function rankedClasses(items: Prediction["items"], top: number): RankedClass[] {
  return items.slice(0, top).map(({ label, value }) => ({ label, probability: value }));
}
