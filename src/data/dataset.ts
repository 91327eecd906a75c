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
    throw new UsageError(`the validation fraction must be at least 0 and less than 1, not ${fraction}`);
  }
  const order = new RandomStream(seed, "split").permutation(length);
  const held = Math.round(length * fraction);
  return { train: order.slice(held).sort(), validation: order.slice(0, held).sort() };
}

/** The indices 0 … length − 1, or the first `limit` of them. */
export function allIndices(length: number, limit: number = length): Uint32Array {
  return Uint32Array.from({ length: Math.min(length, limit) }, (_, i) => i);
}
