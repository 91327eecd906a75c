import { isAbsolute } from "node:path";
import { CheckpointError } from "../errors/index.js";
import { MODELS, type ModelEntry } from "../models/index.js";
import type { RunDescription } from "./description.js";
import { loadModelFile } from "./model-file.js";

/** How the model of a run is found. */
export interface FindModelOptions {
  /** The model, if it is not a registered one. */
  readonly model?: ModelEntry | undefined;
  /** Called if the model's file has changed since training. Defaults to a process warning. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * Finds the model of a run: the given one, a registered one, or the one in the file that the run names. Such
 * a file is executed.
 *
 * @throws CheckpointError if it is a custom model that is not given and cannot be found
 */
export async function findRunModel(
  { config, modelFile }: RunDescription,
  { model, onWarning = (message) => process.emitWarning(message) }: FindModelOptions = {},
): Promise<ModelEntry> {
  if (model !== undefined) {
    if (model.name === config.model) return model;
    throw new CheckpointError(`the run's model is ${config.model}, not ${model.name}`);
  }
  if (Object.hasOwn(MODELS, config.model)) return MODELS[config.model]!;
  if (modelFile === undefined) {
    throw new CheckpointError(
      `the run's model ${config.model} is not registered in dyconv, and the run names no file for it`,
      {
        hint: "Open the run with the library and pass { model }.",
      },
    );
  }
  // A run from elsewhere must not bring along the code that it makes us execute.
  if (!isAbsolute(modelFile.path)) {
    throw new CheckpointError(`modelFile of the run is not an absolute path: ${modelFile.path}`, {
      hint: "Correct it in the run's config.json.",
    });
  }
  const { entry, file } = await loadModelFile(modelFile.path).catch((cause: unknown) => {
    throw new CheckpointError(`the model of the run cannot be loaded: ${(cause as Error).message}`, {
      hint: "Put the file back, or correct modelFile in the run's config.json.",
      cause,
    });
  });
  if (file.sha256 !== modelFile.sha256) {
    onWarning(`${file.path} has changed since the run was trained`);
  }
  return entry;
}
