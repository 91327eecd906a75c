import { allIndices, BatchLoader, openData } from "../data/index.js";
import type { OpenRun } from "../runs/open-run.js";
import type { RuntimeOptions } from "../runtime/index.js";
import { type Evaluation, evaluate } from "./evaluate.js";

/** How a run is evaluated. */
export interface EvaluateRunOptions extends Pick<RuntimeOptions, "device" | "threads"> {
  /** Data source; the run's own by default. */
  readonly data?: string;
  /** 64 by default. */
  readonly batchSize?: number;
  /** Routing temperature; 1 by default, whatever the run was trained at. */
  readonly temperature?: number;
}

/** Evaluates a run's weights on the test images of its data. */
export async function evaluateRun(
  { config, model, state, imageSize }: OpenRun,
  options: EvaluateRunOptions = {},
): Promise<Evaluation> {
  const { batchSize = 64, temperature = 1, data, ...runtime } = options;
  const { test } = await openData(data ?? config.data, { imageSize, seed: config.seed });
  const loader = new BatchLoader(test, {
    indices: allIndices(test.length),
    batchSize,
    seed: config.seed,
    imageSize,
    augmentation: "none",
    shuffle: false,
  });
  const { labelSmoothing } = config;
  return evaluate(model, state, test, loader, {
    imageSize,
    batchSize,
    labelSmoothing,
    temperature,
    ...runtime,
  });
}
