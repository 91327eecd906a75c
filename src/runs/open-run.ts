import { existsSync } from "node:fs";
import type { ModelState, Module } from "../nn/index.js";
import { type CheckpointName, checkpointPath, modelShapes, readState } from "./checkpoint.js";
import { createModel } from "./create-model.js";
import { describeRun, type RunDescription } from "./description.js";
import { type FindModelOptions, findRunModel } from "./find-model.js";

/** A run whose weights are loaded. */
export interface OpenRun extends RunDescription {
  readonly model: Module;
  readonly state: ModelState;
  /** Height and width of the images the model takes. */
  readonly imageSize: number;
  /** The routing temperature that the weights were trained at last. */
  readonly temperature: number;
}

/**
 * Loads a run's model and weights.
 *
 * @param checkpoint `"best"` by default, or `"last"` where no epoch is done yet
 * @throws CheckpointError if the folder holds no run, or the weights are damaged
 */
export async function openRun(
  run: string,
  checkpoint?: CheckpointName,
  options: FindModelOptions = {},
): Promise<OpenRun> {
  const description = await describeRun(run);
  const { config, classes } = description;
  const entry = await findRunModel(description, options);
  const { imageSize } = entry;
  const model = createModel(entry, config, classes);
  const chosen = checkpoint ?? (existsSync(checkpointPath(run, "best")) ? "best" : "last");
  const { state, position } = await readState(checkpointPath(run, chosen), modelShapes(model));
  return { ...description, model, state, imageSize, temperature: position?.temperature ?? 1 };
}
