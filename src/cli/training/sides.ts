import { join, resolve } from "node:path";
import { CheckpointError, UsageError } from "../../errors/index.js";
import type { ModelEntry } from "../../models/index.js";
import { flagsFor, optionsOf, separateModelOptions } from "../flags/model-options.js";
import { findModel, type Models, type NamedModel } from "../flags/models.js";
import { hasTemperature, type TrainingFlags, withoutTemperature } from "../flags/training-options.js";

/** Where the runs of a comparison are. */
export interface SidePlace {
  readonly out: string;
  readonly resume?: boolean;
}

/** One run of a side. */
export interface SideRun {
  /** Folder of the run. */
  readonly folder: string;
  /** Absent unless there are several seeds. */
  readonly seed?: number;
  /** What to train there. Absent if the run was given. */
  readonly training?: { readonly model: NamedModel; readonly word: string; readonly resume: boolean };
}

/** One side of a comparison: a given run, or a model with one run per seed. */
export interface Side {
  readonly name: string;
  readonly runs: readonly SideRun[];
}

interface SeededPlace extends SidePlace {
  readonly seeds?: readonly number[];
}

/**
 * Finds the sides of a comparison, and checks them before anything is trained.
 *
 * @throws UsageError if both are the same, or if several seeds are asked for and one side is a run
 * @throws CheckpointError if a run exists already and is not to be resumed
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
    throw new UsageError("both sides of the comparison are the same", {
      hint: "give two different models, two runs, or one of each",
    });
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
    throw new UsageError(`--seeds needs models, but ${word} is a run, which has one seed`, {
      hint: "give two models, or remove --seeds",
    });
  }
  const model = findModel(models, word);
  const { name } = model.entry;
  const runs = (seeds ?? [undefined]).map((seed): SideRun => {
    const folder = join(out, seed === undefined ? name : `${name}-seed-${seed}`);
    const begun = isRun(folder);
    if (begun && !resume) {
      throw new CheckpointError(`${folder} already holds a run`, {
        hint: "continue the comparison with --resume, or choose another --out",
      });
    }
    return { folder, ...(seed !== undefined && { seed }), training: { model, word, resume: begun } };
  });
  return { name, runs };
}

/** For each trained model, the flags of the command line that apply to it. */
export async function valuesByModel(
  sides: readonly Side[],
  flags: TrainingFlags,
): Promise<(entry: ModelEntry) => TrainingFlags> {
  const { modelOptions, others } = separateModelOptions(flags);
  const trained = sides.flatMap(({ runs }) => runs[0]?.training?.model.entry ?? []);
  // If no model has an option, pass it on: the first model reports it.
  const unknown = Object.keys(modelOptions).some(
    (key) => !trained.some(({ options }) => options.some((option) => option.key === key)),
  );
  // Only models with a temperature get its flags.
  const takers = trained.filter((entry) => hasTemperature(entry, optionsOf(entry, modelOptions)));
  return (entry) => {
    if (unknown) return flags;
    const shared = takers.length === 0 || takers.includes(entry) ? others : withoutTemperature(others);
    return { ...shared, ...flagsFor(entry, flags) };
  };
}
