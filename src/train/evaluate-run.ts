import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { allIndices, BatchLoader, openData } from "../data/index.js";
import { CheckpointError } from "../errors/index.js";
import { modelEntry } from "../models/index.js";
import type { RuntimeOptions } from "../runtime/index.js";
import { type CheckpointName, checkpointPath, readState } from "./checkpoint.js";
import { type TrainConfig, trainConfigSchema } from "./config.js";
import { type Evaluation, evaluate } from "./evaluate.js";

/** How a run is evaluated. */
export interface EvaluateRunOptions extends Pick<RuntimeOptions, "device" | "threads"> {
  /** `"best"` by default, or `"last"` where no epoch is done yet. */
  readonly checkpoint?: CheckpointName;
  /** Data source; the run's own by default. */
  readonly data?: string;
  /** 64 by default. */
  readonly batchSize?: number;
  /** Routing temperature; 1 by default, whatever the run was trained at. */
  readonly temperature?: number;
}

/**
 * The configuration that a run folder keeps.
 *
 * @throws CheckpointError if the folder holds no run
 */
export async function readRunConfig(run: string): Promise<TrainConfig> {
  try {
    const {
      dataFingerprint: _,
      dataNote: __,
      ...config
    } = JSON.parse(await readFile(join(run, "config.json"), "utf8"));
    return trainConfigSchema.parse(config);
  } catch (cause) {
    throw new CheckpointError(`${run} holds no run`, {
      cause,
      hint: "give the folder that train wrote, its --out",
    });
  }
}

/** Evaluates a run's weights on the test images of its data. */
export async function evaluateRun(run: string, options: EvaluateRunOptions = {}): Promise<Evaluation> {
  const { checkpoint, batchSize = 64, temperature = 1, data, ...runtime } = options;
  const config = await readRunConfig(run);
  const { create, imageSize } = modelEntry(config.model);
  const model = create();
  const shapes = Object.fromEntries(model.namedParameters().map(([name, { shape }]) => [name, shape]));
  const chosen = checkpoint ?? (existsSync(checkpointPath(run, "best")) ? "best" : "last");
  const { state } = await readState(checkpointPath(run, chosen), shapes);
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
