import { imageBytes, prepareImages, resizeMatrix } from "../data/index.js";
import type { Tensor } from "../ir/index.js";
import { type Applied, type ApplyOptions, applyModel, freeze } from "../nn/index.js";
import { constant } from "../ops/index.js";
import type { OpenRun } from "../runs/open-run.js";
import { compile, type RuntimeOptions } from "../runtime/index.js";
import { createTask } from "../tasks/index.js";
import { spec } from "../trace/index.js";
import { type AnnealedOption, annealedFor } from "./annealed.js";
import { applyTask } from "./apply-task.js";
import { assertFinite } from "./finite.js";
import type { Pixels } from "./samples.js";

/** Options of inference. */
export interface InferOptions extends Pick<RuntimeOptions, "device" | "threads">, AnnealedOption {}

/** Largest batch size. */
const BATCH = 64;

/** Results of a model by name, one row per image. */
export type InferredRows<Name extends string> = Readonly<Record<Name, readonly Float32Array[]>>;

/** Runtime inputs that change how a compiled model is applied. */
export interface Settings {
  /** Shape of the inputs. */
  readonly shape: readonly number[];
  /** Options of the forward pass, given the inputs. */
  readonly apply: (values: Tensor) => Pick<ApplyOptions, "replaceAttention">;
}

/** A run's model, compiled for a set of images. */
export interface Inference<Name extends string> {
  /**
   * Applies the model to all of the images.
   *
   * @param settings values of the {@link Settings} it was compiled with
   * @throws CheckpointError if a result is NaN or infinite
   */
  rows(settings?: Float32Array): Promise<InferredRows<Name>>;
  /** Frees the session. */
  dispose(): Promise<void>;
}

/**
 * Applies a run's model to images, in batches.
 *
 * @param read picks tensors [B, N], by name, from the model's results
 * @returns for each name, a row of N numbers per image
 * @throws CheckpointError if a result is NaN or infinite
 */
export async function infer<Name extends string>(
  run: OpenRun,
  pixels: Pixels,
  read: (applied: Applied) => Readonly<Record<Name, Tensor>>,
  options: InferOptions = {},
): Promise<InferredRows<Name>> {
  const inference = await openInference(run, pixels, read, options);
  const rows = await inference.rows();
  await inference.dispose();
  return rows;
}

/** Compiles a run's model for images, to be applied to them more than once. */
export async function openInference<Name extends string>(
  run: OpenRun,
  pixels: Pixels,
  read: (applied: Applied) => Readonly<Record<Name, Tensor>>,
  options: InferOptions & { readonly settings?: Settings } = {},
): Promise<Inference<Name>> {
  const bytes = imageBytes(pixels);
  const count = pixels.images.length / bytes;
  const batch = Math.min(BATCH, count);
  const forward = await compileForward(run, { ...pixels, batch }, read, options);
  return {
    rows: async (settings) => {
      const rows: Record<string, Float32Array[]> = {};
      for (let start = 0; start < count; start += batch) {
        // The last batch is shifted back to be full, so it repeats some images of the one before.
        const from = Math.min(start, count - batch);
        const images = pixels.images.subarray(from * bytes, (from + batch) * bytes);
        const found = await forward(images, ...(settings === undefined ? [] : [settings]));
        for (const [name, values] of Object.entries(found)) {
          assertFinite(name, values as Float32Array);
          rows[name] ??= [];
          rows[name].splice(from, batch, ...rowsOf(values as Float32Array, batch));
        }
      }
      return rows as Record<Name, Float32Array[]>;
    },
    dispose: () => forward.dispose(),
  };
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
  { annealed: given, settings, ...runtime }: InferOptions & { readonly settings?: Settings },
) {
  const { model, state, imageSize } = run;
  const annealed = annealedFor(run, given);
  const task = createTask(run.task, run.config);
  const weights = freeze(model, state);
  const rows = constant(resizeMatrix(height, imageSize), [1, imageSize, height]);
  const columns = constant(resizeMatrix(width, imageSize), [1, imageSize, width]);
  return compile(
    (bytes: Tensor, ...values: readonly Tensor[]) => {
      const images = prepareImages(bytes, rows, columns);
      const changed = settings === undefined ? {} : settings.apply(values[0]!);
      const apply = (x: Tensor) => applyModel(model, weights, x, { annealed, ...changed });
      return read(applyTask(task, apply, images, run.classes));
    },
    [spec([batch, 3, height, width], "uint8"), ...(settings === undefined ? [] : [spec(settings.shape)])],
    runtime,
  );
}
