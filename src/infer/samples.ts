import { basename, dirname } from "node:path";
import {
  allIndices,
  type DatasetPair,
  imageBytes,
  type ReadImagesOptions,
  readImages,
} from "../data/index.js";
import type { PredictedSample } from "../report/index.js";
import type { OpenRun } from "../runs/open-run.js";
import type { RankedClass } from "./predict.js";
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
  /** Each image's true class, where it is known. */
  readonly truths: readonly (string | undefined)[];
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
  const { classes } = run;
  const { test } = await openRunData(run, data);
  const { height, width, labels } = test;
  const indices = allIndices(test.length, count);
  const images = new Uint8Array(indices.length * imageBytes(test));
  indices.forEach((index, i) => {
    images.set(imageAt(test, index), i * imageBytes(test));
  });
  return {
    images,
    height,
    width,
    names: Array.from(indices, (index) => `test ${index}`),
    truths: Array.from(indices, (index) => classes[labels[index]!]),
  };
}

/** Samples with what was predicted of them, to be drawn. */
export function predictedSamples(
  samples: Samples,
  ranked: readonly (readonly RankedClass[])[],
): PredictedSample[] {
  const { height, width, truths } = samples;
  return ranked.map(([best], i) => {
    const truth = truths[i];
    const { label: prediction, probability: confidence } = best!;
    const pixels = imageAt(samples, i);
    return { pixels, height, width, prediction, confidence, ...(truth === undefined ? {} : { truth }) };
  });
}

/** So many of the images, evenly spaced. */
export function someSamples(samples: Samples, count: number): Samples {
  const { names, truths } = samples;
  const indices = Array.from(allIndices(names.length, count));
  const images = new Uint8Array(indices.length * imageBytes(samples));
  for (const [i, index] of indices.entries()) images.set(imageAt(samples, index), i * imageBytes(samples));
  return { ...samples, images, names: indices.map((i) => names[i]!), truths: indices.map((i) => truths[i]) };
}

/** The bytes of one image: its red, green and blue plane. */
export function imageAt(pixels: Pixels, index: number): Uint8Array {
  const bytes = imageBytes(pixels);
  return pixels.images.subarray(index * bytes, (index + 1) * bytes);
}
