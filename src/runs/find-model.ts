import { isAbsolute } from "node:path";
import { CheckpointError } from "../errors/index.js";
import { MODELS, type ModelEntry } from "../models/index.js";
import type { RunDescription } from "./description.js";
import { loadModelFile } from "./model-file.js";

/** How the model of a run is found. */
export interface FindModelOptions {
  /** A model of one's own. */
  readonly model?: ModelEntry | undefined;
  /** Is told where the model's file is not the one that the run was trained with; a warning of the process by default. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * The model of a run: the one given, a registered one, or the one of the file that the run names, which is run.
 *
 * @throws CheckpointError if it is a model of one's own that is not given and cannot be found
 */
export async function findRunModel(
  { config, modelFile }: RunDescription,
  { model, onWarning = (message) => process.emitWarning(message) }: FindModelOptions = {},
): Promise<ModelEntry> {
  if (model !== undefined) {
    if (model.name === config.model) return model;
    throw new CheckpointError(`the run is one of ${config.model}, not of ${model.name}`);
  }
  if (Object.hasOwn(MODELS, config.model)) return MODELS[config.model]!;
  if (modelFile === undefined) {
    throw new CheckpointError(
      `the run's model ${config.model} is none of dyconv's, and it names no file of it`,
      {
        hint: "Open the run by the library, with { model }.",
      },
    );
  }
  // A run that came from elsewhere must not bring the module along that it has run.
  if (!isAbsolute(modelFile.path)) {
    throw new CheckpointError(`modelFile of the run is no absolute path: ${modelFile.path}`, {
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
