import { join, resolve } from "node:path";
import { CheckpointError, UsageError } from "../../errors/index.js";
import type { ModelEntry } from "../../models/index.js";
import { flagsFor, optionsOf, separateModelOptions } from "../flags/model-options.js";
import { findModel, type Models, type NamedModel } from "../flags/models.js";
import { hasTemperature, type TrainingFlags, withoutTemperature } from "../flags/training-options.js";

/** Where runs of a comparison are. */
export interface SidePlace {
  readonly out: string;
  readonly resume?: boolean;
}

/** A run of one side. */
export interface SideRun {
  /** Its folder. */
  readonly folder: string;
  /** Where there are several seeds. */
  readonly seed?: number;
  /** What is to be trained there, unless the run was given. */
  readonly training?: { readonly model: NamedModel; readonly word: string; readonly resume: boolean };
}

/** One of what is compared: a run, or a model with a run for each seed. */
export interface Side {
  readonly name: string;
  readonly runs: readonly SideRun[];
}

interface SeededPlace extends SidePlace {
  readonly seeds?: readonly number[];
}

/**
 * Finds what is compared, and refuses before anything is trained what would be refused after.
 *
 * @throws UsageError if both are the same, or several seeds of a run are asked for
 * @throws CheckpointError if a run has been begun that is not to be resumed
 */
export async function findSides(
  words: readonly string[],
  place: SeededPlace,
  models: Models,
): Promise<readonly Side[]> {
  const sides: Side[] = [];
  for (const word of words) sides.push(await findSide(word, place, models));
  const folders = sides.flatMap(({ runs }) => runs.map(({ folder }) => resolve(folder)));
  if (new Set(folders).size < folders.length) {
    throw new UsageError("compare two that differ", { hint: "give two models, two runs, or one of each" });
  }
  return sides;
}

async function findSide(
  word: string,
  { out, resume = false, seeds }: SeededPlace,
  models: Models,
): Promise<Side> {
  const { describeRun, isRun } = await import("../../runs/description.js");
  if (isRun(word)) {
    if (seeds === undefined)
      return { name: (await describeRun(word)).config.model, runs: [{ folder: word }] };
    throw new UsageError(`${word} is a run, which has one seed`, {
      hint: "give two models with --seeds, or leave it out",
    });
  }
  const model = findModel(models, word);
  const { name } = model.entry;
  const runs = (seeds ?? [undefined]).map((seed): SideRun => {
    const folder = join(out, seed === undefined ? name : `${name}-seed-${seed}`);
    const begun = isRun(folder);
    if (begun && !resume) {
      throw new CheckpointError(`${folder} holds a run already`, {
        hint: "continue the comparison with --resume, or give another --out",
      });
    }
    return { folder, ...(seed !== undefined && { seed }), training: { model, word, resume: begun } };
  });
  return { name, runs };
}

/** The flags that each model that is trained takes of those of the command line. */
export async function valuesByModel(
  sides: readonly Side[],
  flags: TrainingFlags,
): Promise<(entry: ModelEntry) => TrainingFlags> {
  const { modelOptions, others } = separateModelOptions(flags);
  const trained = sides.flatMap(({ runs }) => runs[0]?.training?.model.entry ?? []);
  // An option that no model has is an error, which the first one gives.
  const unknown = Object.keys(modelOptions).some(
    (key) => !trained.some(({ options }) => options.some((option) => option.key === key)),
  );
  // The temperature goes to the models that have one.
  const takers = trained.filter((entry) => hasTemperature(entry, optionsOf(entry, modelOptions)));
  return (entry) => {
    if (unknown) return flags;
    const shared = takers.length === 0 || takers.includes(entry) ? others : withoutTemperature(others);
    return { ...shared, ...flagsFor(entry, flags) };
  };
}
