import { basename } from "node:path";
import { type ModelState, type Module, stateShapes } from "../nn/index.js";
import { type CheckpointName, checkpointPath, isCheckpointName, readState } from "./checkpoint.js";
import { createModel } from "./create-model.js";
import { describeRun, type RunDescription } from "./description.js";
import { type FindModelOptions, findRunModel } from "./find-model.js";
import { assertWrittenBy } from "./history.js";
import { findModelFolder, MODEL_WEIGHTS, weightsIn } from "./model-folder.js";

/** A run with loaded weights. */
export interface OpenRun extends RunDescription {
  readonly model: Module;
  readonly state: ModelState;
  /** Height and width of the model's input images. */
  readonly imageSize: number;
  /**
   * Values of annealed scalars in the last training step, by name. They are at their final values if the
   * recipe is done.
   */
  readonly annealed: Readonly<Record<string, number>>;
  /**
   * Whether the weights file has a checksum that matches its content. False for files of the first version.
   */
  readonly verified: boolean;
}

/**
 * Loads the model and weights of a run, or of a model folder that was exported.
 *
 * @param run the folder, or the name of one in the folder of models ({@link findModelFolder})
 * @param checkpoint `"best"`, `"last"`, `"final"`, or the path of a safetensors file that fits the model. Defaults to
 * the folder's weights: of a run those of `"best"`, or of `"last"` before its first epoch is done
 * @throws CheckpointError if the folder holds no model, or the weights are damaged or another run's
 */
export async function openRun(
  run: string,
  checkpoint?: CheckpointName | (string & {}),
  options: FindModelOptions = {},
): Promise<OpenRun> {
  const folder = findModelFolder(run) ?? run;
  const description = await describeRun(folder);
  const { config, classes, history } = description;
  const entry = await findRunModel(description, options);
  const { imageSize } = entry;
  const model = createModel(entry, config, classes);
  const path = weightsPath(folder, checkpoint);
  const { state, position, id, verified, ...stored } = await readState(path, stateShapes(model));
  const own = checkpoint === undefined ? basename(path) !== MODEL_WEIGHTS : isCheckpointName(checkpoint);
  if (own) assertWrittenBy(history, { id, step: position?.step ?? 0 }, path);
  const annealed = annealedOf(model, stored.annealed);
  return { ...description, model, state, imageSize, annealed, verified };
}

function weightsPath(folder: string, checkpoint: string | undefined): string {
  if (checkpoint === undefined) return weightsIn(folder) ?? checkpointPath(folder, "last");
  return isCheckpointName(checkpoint) ? checkpointPath(folder, checkpoint) : checkpoint;
}

/** Of the values that a checkpoint holds those that the model knows, the others at rest. */
function annealedOf(model: Module, stored: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(model.annealedScalars().map(({ name, rest }) => [name, stored[name] ?? rest]));
}
