import { UsageError } from "../../errors/index.js";
import { MODELS, type ModelEntry } from "../../models/index.js";
import { isModelPath, loadModelFile, type ModelFile } from "../../runs/model-file.js";
import { findModelFolder, openModelFolder } from "../../runs/model-folder.js";
import { suggestion } from "./options.js";

/** A model given by name or by path. */
export interface NamedModel {
  readonly entry: ModelEntry;
  /** The file it came from, if it did. */
  readonly file?: ModelFile | undefined;
  /** File of its weights, if it came from a folder. */
  readonly weights?: string;
}

/** The models that a command line may name, by name or path. */
export type Models = ReadonlyMap<string, NamedModel>;

/** Commands that take models, and so may be given files and folders of them. */
const TAKE_MODELS = ["train", "compare", "summary", "bench", "convert"];

/** What the argument of such a command is, for its help. */
export const MODEL_ARGUMENT = `${Object.keys(MODELS).join(", ")}, a module of your own (./my-model.js), or the folder of a model`;

/** The models registered in dyconv. */
export const registeredModels: Models = new Map(
  Object.entries(MODELS).map(([name, entry]) => [name, { entry }]),
);

/**
 * The registered models, and those of the files and folders that a command line names: their options are flags of it,
 * so they are needed before it can be read.
 *
 * @throws UsageError if a file cannot be loaded or exports no model, or a folder has no weights
 */
export async function modelsOf(args: readonly string[]): Promise<Models> {
  const [command = "", ...words] = args;
  if (!TAKE_MODELS.includes(command)) return registeredModels;
  const loaded: [string, NamedModel][] = [];
  for (const [i, word] of words.entries()) {
    const before = words[i - 1] ?? "";
    if (registeredModels.has(word) || (before.startsWith("--") && before !== "--model")) continue;
    if (isModelPath(word)) loaded.push([word, await loadModelFile(word)]);
    else if (command !== "compare") {
      // Folders that are compared are runs, and stay what they are.
      const folder = findModelFolder(word);
      if (folder !== undefined) loaded.push([word, await openModelFolder(folder)]);
    }
  }
  return new Map([...registeredModels, ...loaded]);
}

/**
 * Finds a model by name or path.
 *
 * @throws UsageError if there is none, with the nearest name
 */
export function findModel(models: Models, word: string): NamedModel {
  const found = models.get(word);
  if (found !== undefined) return found;
  const hint = `${suggestion(word, [...models.keys()])}; your own is named by its path, such as ./my-model.js`;
  throw new UsageError(`there is no model "${word}"`, { hint });
}
