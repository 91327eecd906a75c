import { allIndices, type DatasetPair, imageBytes, readPixels } from "../data/index.js";
import { UsageError } from "../errors/index.js";
import { openRunData } from "../infer/run-data.js";
import type { OpenRun } from "../runs/open-run.js";
import { openOnnx, type RuntimeOptions } from "../runtime/index.js";
import { PIXELS, type WeightPrecision } from "../ship/index.js";
import { comparePaired, type PairedDifference } from "../statistics/paired.js";
import { type ExportRunOptions, exportRun } from "./export-run.js";

/** Options of {@link measureFile}. */
export interface MeasureOptions extends Pick<RuntimeOptions, "device" | "threads"> {
  /** Number of test images, evenly spaced. Defaults to all. */
  readonly limit?: number;
  /** Data that is already open. Defaults to the run's own. */
  readonly data?: DatasetPair;
}

/** For each test image, whether a file classifies it correctly, and its true class. */
export interface MeasuredFile {
  readonly hits: readonly boolean[];
  /** Indices into the run's classes. */
  readonly labels: readonly number[];
  readonly predicted: readonly number[];
}

const BATCH = 64;

/**
 * Classifies the test images of a run's data with an exported file that takes pixels.
 *
 * @throws UsageError if the run's task is not classification
 */
export async function measureFile(
  run: OpenRun,
  file: Uint8Array,
  { limit, data, ...runtime }: MeasureOptions = {},
): Promise<MeasuredFile> {
  const { test } = await openRunData(run, data);
  if (!("labels" in test)) {
    throw new UsageError(`the run's task is ${run.task}; accuracy can only be measured for classification`);
  }
  const { height, width } = test;
  const indices = allIndices(test.length, limit);
  const model = await openOnnx(file, runtime);
  const predicted: number[] = [];
  for (let start = 0; start < indices.length; start += BATCH) {
    const chosen = indices.subarray(start, start + BATCH);
    const planes = new Uint8Array(chosen.length * imageBytes(test));
    await readPixels(test, chosen, planes);
    const shape = [chosen.length, height, width, 3];
    const { logits } = await model.run({
      [PIXELS]: { dtype: "uint8", shape, data: interleaved(planes, height * width) },
    });
    for (let i = 0; i < chosen.length; i++) {
      const row = logits!.data.subarray(i * run.classes.length, (i + 1) * run.classes.length);
      predicted.push(row.indexOf(Math.max(...row)));
    }
  }
  await model.dispose();
  const labels = Array.from(indices, (index) => test.labels[index]!);
  return { labels, predicted, hits: labels.map((label, i) => predicted[i] === label) };
}

/** Converts colour planes, [count, 3, area], to pixels, [count, area, 3]. */
export function interleaved(planes: Uint8Array, area: number): Uint8Array {
  const pixels = new Uint8Array(planes.length);
  for (let i = 0; i < planes.length; i++) {
    const image = Math.floor(i / (3 * area));
    const channel = Math.floor(i / area) % 3;
    pixels[3 * (image * area + (i % area)) + channel] = planes[i]!;
  }
  return pixels;
}

/** The cost in accuracy of storing weights in fewer bytes. */
export interface WeightsCost {
  readonly weights: WeightPrecision;
  /** Size of the file. */
  readonly bytes: number;
  readonly accuracy: number;
  /** Number of test images. */
  readonly images: number;
  /** Change relative to float32 on the same images. Absent for float32 itself. */
  readonly change?: PairedDifference;
}

/**
 * Exports a run with float32 weights and with the requested ones, and classifies its test images with both
 * files.
 *
 * @throws UsageError if the run's task is not classification
 */
export async function measureWeights(
  run: OpenRun,
  { fixedBatch: _, ...options }: ExportRunOptions,
  measure: MeasureOptions = {},
): Promise<readonly WeightsCost[]> {
  const { weights: asked = "float32" } = options;
  const rows: WeightsCost[] = [];
  let whole: readonly boolean[] | undefined;
  for (const weights of new Set<WeightPrecision>(["float32", asked])) {
    const { bytes } = await exportRun(run, { ...options, weights, pixels: true });
    const { hits } = await measureFile(run, bytes, measure);
    const accuracy = hits.filter(Boolean).length / hits.length;
    const change = whole && comparePaired(whole, hits, run.config.seed);
    rows.push({ weights, bytes: bytes.length, accuracy, images: hits.length, ...(change && { change }) });
    whole ??= hits;
  }
  return rows;
}
