import { existsSync } from "node:fs";
import { type ModelState, type Module, stateShapes } from "../nn/index.js";
import { type CheckpointName, checkpointPath, isCheckpointName, readState } from "./checkpoint.js";
import { createModel } from "./create-model.js";
import { describeRun, type RunDescription } from "./description.js";
import { type FindModelOptions, findRunModel } from "./find-model.js";
import { assertWrittenBy } from "./history.js";

/** A run whose weights are loaded. */
export interface OpenRun extends RunDescription {
  readonly model: Module;
  readonly state: ModelState;
  /** Height and width of the images the model takes. */
  readonly imageSize: number;
  /** Values of annealed scalars that the weights were trained at last, by name; at rest where a recipe is done. */
  readonly annealed: Readonly<Record<string, number>>;
  /** Whether the weights' file has a checksum, which its content matches; false for files of the first version. */
  readonly verified: boolean;
}

/**
 * Loads a run's model and weights.
 *
 * @param checkpoint `"best"`, `"last"`, `"final"`, or the path of a safetensors file that fits the run's model;
 * `"best"` by default, or `"last"` where no epoch is done yet
 * @throws CheckpointError if the folder holds no run, or the weights are damaged or another run's
 */
export async function openRun(
  run: string,
  checkpoint?: CheckpointName | (string & {}),
  options: FindModelOptions = {},
): Promise<OpenRun> {
  const description = await describeRun(run);
  const { config, classes, history } = description;
  const entry = await findRunModel(description, options);
  const { imageSize } = entry;
  const model = createModel(entry, config, classes);
  const chosen = checkpoint ?? (existsSync(checkpointPath(run, "best")) ? "best" : "last");
  const own = isCheckpointName(chosen);
  const path = own ? checkpointPath(run, chosen) : chosen;
  const { state, position, id, verified } = await readState(path, stateShapes(model));
  if (own) assertWrittenBy(history, { id, step: position?.step ?? 0 }, path);
  const annealed = annealedOf(model, position?.annealed);
  return { ...description, model, state, imageSize, annealed, verified };
}

/** Of the values that a checkpoint holds those that the model knows, the others at rest. */
function annealedOf(model: Module, stored: Readonly<Record<string, number>> = {}): Record<string, number> {
  return Object.fromEntries(model.annealedScalars().map(({ name, rest }) => [name, stored[name] ?? rest]));
}
