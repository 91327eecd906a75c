import { allIndices, BatchLoader, openData } from "../data/index.js";
import type { OpenRun } from "../runs/open-run.js";
import { assertSameClasses } from "../runs/resume.js";
import type { RuntimeOptions } from "../runtime/index.js";
import { type AnnealedOption, annealedFor } from "./annealed.js";
import { type Evaluation, evaluate } from "./evaluate.js";
import { assertFinite } from "./finite.js";

/** How a run is evaluated. */
export interface EvaluateRunOptions extends Pick<RuntimeOptions, "device" | "threads">, AnnealedOption {
  /** Data source; the run's own by default. */
  readonly data?: string;
  /** 64 by default. */
  readonly batchSize?: number;
}

/**
 * Evaluates a run's weights on the test images of its data.
 *
 * @throws CheckpointError if the data have other classes than the run, or the loss is NaN or infinite
 */
export async function evaluateRun(run: OpenRun, options: EvaluateRunOptions = {}): Promise<Evaluation> {
  const { config, model, state, imageSize } = run;
  const { batchSize = 64, data, annealed: given, ...runtime } = options;
  const annealed = annealedFor(run, given);
  const source = data ?? config.data;
  const { test } = await openData(source, { imageSize, seed: config.seed, imageFit: config.imageFit });
  assertSameClasses(run.classes, test.classes, source);
  const loader = new BatchLoader(test, {
    indices: allIndices(test.length),
    batchSize,
    seed: config.seed,
    imageSize,
    augmentation: "none",
    shuffle: false,
  });
  const { labelSmoothing } = config;
  const result = await evaluate(model, state, test, loader, {
    imageSize,
    batchSize,
    labelSmoothing,
    annealed,
    ...runtime,
  });
  assertFinite("the loss on the test images", [result.loss]);
  return result;
}
