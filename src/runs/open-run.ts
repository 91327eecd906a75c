import { existsSync } from "node:fs";
import { type ModelState, type Module, stateShapes } from "../nn/index.js";
import { type CheckpointName, checkpointPath, readState } from "./checkpoint.js";
import { createModel } from "./create-model.js";
import { describeRun, type RunDescription } from "./description.js";
import { type FindModelOptions, findRunModel } from "./find-model.js";

/** A run whose weights are loaded. */
export interface OpenRun extends RunDescription {
  readonly model: Module;
  readonly state: ModelState;
  /** Height and width of the images the model takes. */
  readonly imageSize: number;
  /** Values of annealed scalars that the weights were trained at last, by name; at rest where a recipe is done. */
  readonly annealed: Readonly<Record<string, number>>;
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
  const { state, position } = await readState(checkpointPath(run, chosen), stateShapes(model));
  return { ...description, model, state, imageSize, annealed: annealedOf(model, position?.annealed) };
}

/** Of the values that a checkpoint holds those that the model knows, the others at rest. */
function annealedOf(model: Module, stored: Readonly<Record<string, number>> = {}): Record<string, number> {
  return Object.fromEntries(model.annealedScalars().map(({ name, rest }) => [name, stored[name] ?? rest]));
}
