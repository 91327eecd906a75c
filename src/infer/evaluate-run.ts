import { allIndices, BatchLoader, type DatasetPair } from "../data/index.js";
import type { OpenRun } from "../runs/open-run.js";
import type { RuntimeOptions } from "../runtime/index.js";
import { createTask } from "../tasks/index.js";
import { type AnnealedOption, annealedFor } from "./annealed.js";
import { type Evaluation, evaluate } from "./evaluate.js";
import { assertFinite } from "./finite.js";
import { openRunData } from "./run-data.js";

/** Options of {@link evaluateRun}. */
export interface EvaluateRunOptions extends Pick<RuntimeOptions, "device" | "threads">, AnnealedOption {
  /** Data source, or data that is already open. Defaults to the run's own. */
  readonly data?: string | DatasetPair;
  /** Defaults to 64. */
  readonly batchSize?: number;
}

/**
 * Evaluates a run's weights on the test images of its data.
 *
 * @throws CheckpointError if the classes of the data differ from the run's, or the loss is NaN or infinite
 */
export async function evaluateRun(run: OpenRun, options: EvaluateRunOptions = {}): Promise<Evaluation> {
  const { config, model, state, imageSize } = run;
  const { batchSize = 64, data, annealed: given, ...runtime } = options;
  const annealed = annealedFor(run, given);
  const { test } = await openRunData(run, data);
  const loader = new BatchLoader(test, {
    indices: allIndices(test.length),
    batchSize,
    seed: config.seed,
    imageSize,
    augmentation: "none",
    shuffle: false,
  });
  const task = createTask(run.task, config);
  const result = await evaluate(model, state, loader, { task, imageSize, batchSize, annealed, ...runtime });
  assertFinite("the loss on the test images", [result.loss]);
  return result;
}
