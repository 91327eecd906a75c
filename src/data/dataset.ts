import { UsageError } from "../errors/index.js";
import { RandomStream } from "../util/random.js";

/** Labelled colour images of one size, held in memory as bytes. */
export interface ImageDataset {
  readonly name: string;
  /** Class names, by label. */
  readonly classes: readonly string[];
  /** Number of images. */
  readonly length: number;
  readonly height: number;
  readonly width: number;
  /** Pixels 0 … 255, red, green and blue planes: [length, 3, height, width]. */
  readonly images: Uint8Array;
  /** Index into `classes`: [length]. */
  readonly labels: Int32Array;
}

/** A training and a test set of the same classes and image size. */
export interface DatasetPair {
  readonly name: string;
  readonly train: ImageDataset;
  readonly test: ImageDataset;
  /** Tells whether two runs saw the same data. */
  readonly fingerprint: string;
  /** Anything a reader of results must know about the data. */
  readonly note?: string;
  /** What was held out, skipped or resized when the data were read, a sentence each. */
  readonly notices?: readonly string[];
}

/** Bytes of one image, all three planes. */
export function imageBytes({ height, width }: Pick<ImageDataset, "height" | "width">): number {
  return 3 * height * width;
}

/**
 * Parts 0 … length − 1 at random in training and validation indices, each ascending.
 *
 * @param fraction of the images to hold out for validation, in [0, 1); rounded to whole images
 * @throws UsageError if the fraction is out of range
 */
export function splitIndices(
  length: number,
  fraction: number,
  seed: number,
): { train: Uint32Array; validation: Uint32Array } {
  if (!(fraction >= 0 && fraction < 1)) {
    throw new UsageError(`the validation fraction must be at least 0 and less than 1, not ${fraction}`, {
      hint: "Hold out a tenth with 0.1, or nothing with 0.",
    });
  }
  const order = new RandomStream(seed, "split").permutation(length);
  const held = Math.round(length * fraction);
  return { train: order.slice(held).sort(), validation: order.slice(0, held).sort() };
}

/**
 * The indices 0 … length − 1, or `limit` of them, evenly spaced: data sorted by class keep every class.
 *
 * @throws UsageError if the limit is no positive integer
 */
export function allIndices(length: number, limit: number = length): Uint32Array {
  return takeIndices(
    Uint32Array.from({ length }, (_, i) => i),
    limit,
  );
}

/**
 * At most `limit` of the given indices, evenly spaced.
 *
 * @throws UsageError if the limit is no positive integer
 */
export function takeIndices(indices: Uint32Array, limit: number): Uint32Array {
  if (!Number.isInteger(limit) || limit < 1) {
    throw new UsageError(`the number of images must be a positive integer, not ${limit}`, {
      hint: "Leave the limit out to use every image.",
    });
  }
  if (limit >= indices.length) return indices;
  return Uint32Array.from({ length: limit }, (_, i) => indices[Math.floor((i * indices.length) / limit)]!);
}
