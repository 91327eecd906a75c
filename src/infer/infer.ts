import { imageBytes, prepareImages, resizeMatrix } from "../data/index.js";
import type { Tensor } from "../ir/index.js";
import { type Applied, applyModel, freeze } from "../nn/index.js";
import { constant } from "../ops/index.js";
import type { OpenRun } from "../runs/open-run.js";
import { compile, type RuntimeOptions } from "../runtime/index.js";
import { spec } from "../trace/index.js";
import { type AnnealedOption, annealedFor } from "./annealed.js";
import { assertFinite } from "./finite.js";
import type { Pixels } from "./samples.js";

/** How a run's model is applied to images. */
export interface InferOptions extends Pick<RuntimeOptions, "device" | "threads">, AnnealedOption {}

/** Images that are computed at once, at most. */
const BATCH = 64;

/**
 * Applies a run's model to images, in batches.
 *
 * @param read picks from what the model gives: tensors [B, N] by name
 * @returns for each name a row of N numbers an image
 * @throws CheckpointError if one of them is NaN or infinite
 */
export async function infer<Name extends string>(
  run: OpenRun,
  pixels: Pixels,
  read: (applied: Applied) => Readonly<Record<Name, Tensor>>,
  options: InferOptions = {},
): Promise<Readonly<Record<Name, readonly Float32Array[]>>> {
  const bytes = imageBytes(pixels);
  const count = pixels.images.length / bytes;
  const batch = Math.min(BATCH, count);
  const forward = await compileForward(run, { ...pixels, batch }, read, options);
  const rows: Record<string, Float32Array[]> = {};
  for (let start = 0; start < count; start += batch) {
    // The last batch is filled up with images from before it.
    const from = Math.min(start, count - batch);
    const found = await forward(pixels.images.subarray(from * bytes, (from + batch) * bytes));
    for (const [name, values] of Object.entries(found)) {
      assertFinite(name, values as Float32Array);
      rows[name] ??= [];
      rows[name].splice(from, batch, ...rowsOf(values as Float32Array, batch));
    }
  }
  await forward.dispose();
  return rows as Record<Name, Float32Array[]>;
}

/** Views of the rows of [count, N]. */
function rowsOf(values: Float32Array, count: number): Float32Array[] {
  const length = values.length / count;
  return Array.from({ length: count }, (_, i) => values.subarray(i * length, (i + 1) * length));
}

function compileForward(
  run: OpenRun,
  { batch, height, width }: Pick<Pixels, "height" | "width"> & { readonly batch: number },
  read: (applied: Applied) => Readonly<Record<string, Tensor>>,
  { annealed: given, ...runtime }: InferOptions,
) {
  const { model, state, imageSize } = run;
  const annealed = annealedFor(run, given);
  const weights = freeze(model, state);
  const rows = constant(resizeMatrix(height, imageSize), [1, imageSize, height]);
  const columns = constant(resizeMatrix(width, imageSize), [1, imageSize, width]);
  return compile(
    (bytes) => {
      const images = prepareImages(bytes, rows, columns);
      return read(applyModel(model, weights, images, { annealed }));
    },
    [spec([batch, 3, height, width], "uint8")],
    runtime,
  );
}
