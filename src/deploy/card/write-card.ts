import { join } from "node:path";
import { UsageError } from "../../errors/index.js";
import { writeFileAtomically } from "../../files/index.js";
import type { OpenRun } from "../../runs/open-run.js";
import { type ExportRunOptions, exportRun } from "../export-run.js";
import { type MeasuredFile, type MeasureOptions, measureFile } from "../measured.js";
import { writeTransformersFolder } from "../transformers-folder.js";
import { cardText } from "./card-text.js";

/** Options of {@link writeCard}. */
export interface CardOptions extends Pick<ExportRunOptions, "annealed" | "form" | "threads"> {
  /** Test images to measure on, evenly spaced. Defaults to all. */
  readonly limit?: number;
  /** Data that is open already. Defaults to the run's own. */
  readonly data?: MeasureOptions["data"];
  /** File names of pictures that lie in the folder, to be shown. Defaults to none. */
  readonly pictures?: readonly string[];
  /** Licence of the weights, by the identifier that a hub knows, such as `"mit"`. Not stated by default. */
  readonly license?: string;
}

/**
 * Writes a folder for a model hub: `README.md` (the model card), `model.safetensors`, `config.json`,
 * `preprocessor_config.json` and `onnx/model.onnx` with its attention. `dyconv/web` and transformers.js load it.
 *
 * @returns what was measured on the test images
 * @throws UsageError if the run's task is not classification
 */
export async function writeCard(
  folder: string,
  run: OpenRun,
  { limit, data, license, pictures = [], form = "constant", ...options }: CardOptions = {},
): Promise<MeasuredFile> {
  if (run.task !== "classification") {
    throw new UsageError(`the run's task is ${run.task}; cards are written for classifications`, {
      hint: "dyconv export RUN --out model.onnx writes a run of any task as ONNX",
    });
  }
  const { threads } = options;
  const exported = await exportRun(run, { ...options, form, attention: true });
  const { bytes } = await exportRun(run, { ...options, form: exported.form, pixels: true });
  const measured = await measureFile(run, bytes, {
    ...(threads && { threads }),
    ...(limit && { limit }),
    ...(data && { data }),
  });
  await writeTransformersFolder(folder, run, exported);
  await writeFileAtomically(join(folder, "README.md"), cardText(run, { measured, pictures, license }));
  return measured;
}
