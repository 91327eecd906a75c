import { basename, dirname } from "node:path";
import {
  allIndices,
  type Dataset,
  type DatasetPair,
  imageBytes,
  type ReadImagesOptions,
  readImages,
  readPixels,
  targetsOf,
  WHOLE_VIEW,
} from "../data/index.js";
import { allocate } from "../ir/index.js";
import type { PredictedSample } from "../report/index.js";
import type { OpenRun } from "../runs/open-run.js";
import { createTask, type Mark, type Prediction, type Task } from "../tasks/index.js";
import { elementCount } from "../util/shape.js";
import { openRunData } from "./run-data.js";

/** Images of one size, as bytes. */
export interface Pixels {
  /** [count, 3, height, width] */
  readonly images: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/** Images to show a run. */
export interface Samples extends Pixels {
  /** What each image is called: its path, or its number in the test set. */
  readonly names: readonly string[];
  /** What is known to be true of each image: its class, or its values. */
  readonly truths: readonly (string | undefined)[];
  /** What the data draw over each image; nothing by default. */
  readonly marks?: readonly (readonly Mark[] | undefined)[];
}

/**
 * Image files, resized to what the run's model takes. The folder an image lies in is its true class, if
 * it has the name of one.
 *
 * @param onUnreadable is told of each file that cannot be read, which is then left out
 * @throws DataError naming an image that cannot be read, unless `onUnreadable` is given
 */
export async function fileSamples(
  { config, imageSize: size, classes }: OpenRun,
  files: readonly string[],
  onUnreadable?: ReadImagesOptions["onUnreadable"],
): Promise<Samples> {
  const { images, paths } = await readImages(files, { size, fit: config.imageFit, onUnreadable });
  const folders = paths.map((path) => basename(dirname(path)));
  return {
    images,
    height: size,
    width: size,
    names: paths,
    truths: folders.map((folder) => (classes.includes(folder) ? folder : undefined)),
  };
}

/**
 * Test images of a run's data, evenly spaced: data sorted by class show every class.
 *
 * @param data the run's data, where it is open already
 * @throws CheckpointError if the data has other classes than the run was trained on
 */
export async function testSamples(run: OpenRun, count: number, data?: DatasetPair): Promise<Samples> {
  const { test } = await openRunData(run, data);
  const { height, width } = test;
  const indices = allIndices(test.length, count);
  const images = new Uint8Array(indices.length * imageBytes(test));
  await readPixels(test, indices, images);
  const truths = truthsOf(test, indices, createTask(run.task, run.config));
  return {
    images,
    height,
    width,
    names: Array.from(indices, (index) => `test ${index}`),
    truths: truths.map(({ caption }) => caption),
    marks: truths.map(({ marks }) => marks),
  };
}

/** What a data set says of some of its images. */
function truthsOf(dataset: Dataset, indices: Uint32Array, task: Task): Prediction[] {
  const { specs, write } = targetsOf(dataset);
  return Array.from(indices, (index) => {
    const row = Object.fromEntries(
      Object.entries(specs).map(([name, { dtype, shape }]) => [name, allocate(dtype, elementCount(shape))]),
    );
    write(index, WHOLE_VIEW, row, 0);
    return task.truth(row, dataset.classes, { dataset, index });
  });
}

/** Samples with what was predicted of them, to be drawn. */
export function predictedSamples(samples: Samples, predictions: readonly Prediction[]): PredictedSample[] {
  const { height, width, truths, marks: trueMarks = [] } = samples;
  return predictions.map(({ caption, confidence, marks }, i) => ({
    ...{ pixels: imageAt(samples, i), height, width, prediction: caption },
    ...(truths[i] !== undefined && { truth: truths[i] }),
    ...(confidence !== undefined && { confidence }),
    ...(marks !== undefined && { marks, trueMarks: trueMarks[i] ?? [] }),
  }));
}

/** So many of the images, evenly spaced. */
export function someSamples(samples: Samples, count: number): Samples {
  const { names, truths } = samples;
  const indices = Array.from(allIndices(names.length, count));
  const images = new Uint8Array(indices.length * imageBytes(samples));
  for (const [i, index] of indices.entries()) images.set(imageAt(samples, index), i * imageBytes(samples));
  const { marks } = samples;
  return {
    ...samples,
    images,
    names: indices.map((i) => names[i]!),
    truths: indices.map((i) => truths[i]),
    ...(marks && { marks: indices.map((i) => marks[i]) }),
  };
}

/** The bytes of one image: its red, green and blue plane. */
export function imageAt(pixels: Pixels, index: number): Uint8Array {
  const bytes = imageBytes(pixels);
  return pixels.images.subarray(index * bytes, (index + 1) * bytes);
}
