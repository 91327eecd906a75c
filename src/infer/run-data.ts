import { type DatasetPair, openData, taskOf } from "../data/index.js";
import type { OpenRun } from "../runs/open-run.js";
import { assertSameClasses } from "../runs/resume.js";

/** What the data of a run depends on. */
type DataOfRun = Pick<OpenRun, "config" | "task" | "classes" | "imageSize">;

/**
 * Opens the data of a run, or another source to use the run on.
 *
 * @param source a word or path, as `openData` takes it, or data that is already open. Defaults to the run's
 * own
 * @throws CheckpointError if its classes differ from those the run was trained on, or are in another order
 */
export async function openRunData(
  run: DataOfRun,
  source: string | DatasetPair = run.config.data,
): Promise<DatasetPair> {
  const { config, imageSize } = run;
  const data =
    typeof source === "string"
      ? await openData(source, { imageSize, seed: config.seed, imageFit: config.imageFit })
      : source;
  const { test, name } = data;
  const found = { task: taskOf(test), classes: test.classes };
  assertSameClasses(run, found, typeof source === "string" ? source : name);
  return data;
}
