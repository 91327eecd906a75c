import { type DatasetPair, openData } from "../data/index.js";
import type { OpenRun } from "../runs/open-run.js";
import { assertSameClasses } from "../runs/resume.js";

/** What of a run its data depend on. */
type DataOfRun = Pick<OpenRun, "config" | "classes" | "imageSize">;

/**
 * Opens the data of a run, or another source to use the run on.
 *
 * @param source a word or path, as `openData` takes it, or data that is open already; the run's own by default
 * @throws CheckpointError if its classes are not those that the run was trained on, in their order
 */
export async function openRunData(
  { config, classes, imageSize }: DataOfRun,
  source: string | DatasetPair = config.data,
): Promise<DatasetPair> {
  const data =
    typeof source === "string"
      ? await openData(source, { imageSize, seed: config.seed, imageFit: config.imageFit })
      : source;
  assertSameClasses(classes, data.test.classes, typeof source === "string" ? source : data.name);
  return data;
}
