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

/** Images to apply a run to. */
export interface Samples extends Pixels {
  /** Name of each image: its path, or its number in the test set. */
  readonly names: readonly string[];
  /** True class or values of each image, if known. */
  readonly truths: readonly (string | undefined)[];
  /** What the data set draws over each image. Defaults to nothing. */
  readonly marks?: readonly (readonly Mark[] | undefined)[];
}

/**
 * Loads image files, resized to the model's input size. The name of an image's folder is its true class, if
 * it is a class name.
 *
 * @param onUnreadable called for each file that cannot be read, which is then skipped
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
 * Loads test images of a run's data, evenly spaced, so that data sorted by class shows every class.
 *
 * @param data the run's data, if already open
 * @throws CheckpointError if its classes differ from those the run was trained on
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

/** The targets of some of a data set's images. */
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

/** Combines samples with their predictions, for drawing. */
export function predictedSamples(samples: Samples, predictions: readonly Prediction[]): PredictedSample[] {
  const { height, width, truths, marks: trueMarks = [] } = samples;
  return predictions.map(({ caption, confidence, marks }, i) => ({
    ...{ pixels: imageAt(samples, i), height, width, prediction: caption },
    ...(truths[i] !== undefined && { truth: truths[i] }),
    ...(confidence !== undefined && { confidence }),
    ...(marks !== undefined && { marks, trueMarks: trueMarks[i] ?? [] }),
  }));
}

/** Picks `count` of the images, evenly spaced. */
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

/** The bytes of one image, as red, green and blue planes. */
export function imageAt(pixels: Pixels, index: number): Uint8Array {
  const bytes = imageBytes(pixels);
  return pixels.images.subarray(index * bytes, (index + 1) * bytes);
}
