/** Trained models as folders, which commands take wherever they take a model. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors/index.js";
import { type ModelEntry, withDefaults } from "../models/index.js";
import { checkpointPath } from "./checkpoint.js";
import { describeRun, isRun } from "./description.js";
import { findRunModel } from "./find-model.js";
import { loadModelFile, type ModelFile } from "./model-file.js";

/** Weights of a model folder, in safetensors. */
export const MODEL_WEIGHTS = "model.safetensors";

/** Module of a folder that `dyconv import` wrote. */
export const MODEL_MODULE = "model.mjs";

/** The folder that is searched for a model's name, unless `DYCONV_MODELS` names another. */
const MODELS_FOLDER = "models";

/** A model as a folder describes it. */
export interface ModelFolder {
  /** Its options and number of classes default to those of the folder. */
  readonly entry: ModelEntry;
  /** File of its weights. */
  readonly weights: string;
  /** The module that defines it, unless it is one of dyconv's. */
  readonly file?: ModelFile | undefined;
}

/** File of the weights in a folder, if there is one: a model's, or else the best or last checkpoint of a run. */
export function weightsIn(folder: string): string | undefined {
  const files = [join(folder, MODEL_WEIGHTS), checkpointPath(folder, "best"), checkpointPath(folder, "last")];
  return files.find(existsSync);
}

/**
 * The folder that a word names: its path, or its name in the folder `DYCONV_MODELS`, which defaults to `models`.
 *
 * @returns `undefined` if neither holds a model
 */
export function findModelFolder(word: string): string | undefined {
  const named = /[/\\]/.test(word) ? [] : [join(process.env.DYCONV_MODELS ?? MODELS_FOLDER, word)];
  return [word, ...named].find((folder) => isRun(folder) || existsSync(join(folder, MODEL_MODULE)));
}

/**
 * Reads what a folder says of its model: a folder that `dyconv export --transformers`, `train` or `import` wrote.
 *
 * @throws UsageError if it has no weights
 * @throws CheckpointError if its `config.json` is damaged, or its model cannot be found
 */
export async function openModelFolder(folder: string): Promise<ModelFolder> {
  const weights = weightsIn(folder);
  if (weights === undefined) {
    throw new UsageError(`${folder} holds no weights: neither ${MODEL_WEIGHTS} nor checkpoints`, {
      hint: "Copy the whole folder, or export the run again.",
    });
  }
  if (!isRun(folder)) return { ...(await loadModelFile(join(folder, MODEL_MODULE))), weights };
  const description = await describeRun(folder);
  const entry = await findRunModel(description);
  const { config, classes, modelFile } = description;
  return {
    entry: withDefaults(entry, { ...config.modelOptions, classes: classes.length }),
    weights,
    file: modelFile,
  };
}
