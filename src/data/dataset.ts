import { UsageError } from "../errors/index.js";
import type { DType, TensorData } from "../ir/index.js";
import { RandomStream } from "../util/random.js";
import type { View } from "./view.js";

/** Images that are read when they are needed, such as files too many for the memory. */
export interface ImageSource {
  /**
   * Writes the bytes of images, one after the other.
   *
   * @param into uint8 [indices, 3, height, width]
   */
  readonly read: (indices: Uint32Array, into: Uint8Array) => void | Promise<void>;
}

/** Colour images of one size. */
export interface Images {
  readonly name: string;
  /** What a network's outputs stand for: class names by label, or names of values. */
  readonly classes: readonly string[];
  /** Number of images. */
  readonly length: number;
  readonly height: number;
  readonly width: number;
  /** Pixels 0 … 255, red, green and blue planes: [length, 3, height, width], or where to read them from. */
  readonly images: Uint8Array | ImageSource;
}

/** Images of which each has a class. */
export interface ImageDataset extends Images {
  /** Index into `classes`: [length]. */
  readonly labels: Int32Array;
}

/** A labelled data set that is held in memory. */
export interface MemoryDataset extends ImageDataset {
  readonly images: Uint8Array;
}

/** Arrays by name. */
export type TargetArrays = Readonly<Record<string, TensorData>>;

/** What is to be learned of images, where that is no class. */
export interface TargetSource {
  /** What is fed for each image, by name: a row of this shape. */
  readonly specs: Readonly<Record<string, { readonly dtype: DType; readonly shape: readonly number[] }>>;
  /**
   * Writes the targets of an image as they are in a view of it: what has a place in the image moves along.
   *
   * @param into arrays of rows, by name
   * @param position the row to write
   */
  readonly write: (index: number, view: View, into: TargetArrays, position: number) => void;
}

/** Images with targets of any kind. */
export interface TargetDataset extends Images {
  /** Name of the task that its targets are for. */
  readonly task: string;
  readonly targets: TargetSource;
  /**
   * Writes an image and its targets varied at random, in place of the random crops of the training batches, where those
   * would not do.
   *
   * @param images uint8 [any, 3, height, width]
   * @param into arrays of rows, by name
   * @param position the row to write, of both
   */
  readonly vary?: (
    index: number,
    random: RandomStream,
    images: Uint8Array,
    into: TargetArrays,
    position: number,
  ) => Promise<void>;
}

/** Images, and what is to be learned of them. */
export type Dataset = ImageDataset | TargetDataset;

/** A training and a test set of the same classes and image size. */
export interface DatasetPair<Part extends Dataset = Dataset> {
  readonly name: string;
  readonly train: Part;
  readonly test: Part;
  /** Tells whether two runs saw the same data. */
  readonly fingerprint: string;
  /** Anything a reader of results must know about the data. */
  readonly note?: string;
  /** What was held out, skipped or resized when the data were read, a sentence each. */
  readonly notices?: readonly string[];
}

/** Name of the task that a data set is for. */
export function taskOf(dataset: Dataset): string {
  return "labels" in dataset ? "classification" : dataset.task;
}

/** The targets of a data set: those of labelled images are `targets`, int64 labels. */
export function targetsOf(dataset: Dataset): TargetSource {
  if (!("labels" in dataset)) return dataset.targets;
  return {
    specs: { targets: { dtype: "int64", shape: [] } },
    write: (index, _view, { targets }, position) => {
      targets![position] = BigInt(dataset.labels[index]!);
    },
  };
}

/** Writes the bytes of some images: uint8 [indices, 3, height, width]. */
export function readPixels(
  { images, height, width }: Pick<Images, "images" | "height" | "width">,
  indices: Uint32Array,
  into: Uint8Array,
): void | Promise<void> {
  if (!(images instanceof Uint8Array)) return images.read(indices, into);
  const bytes = imageBytes({ height, width });
  for (const [position, index] of indices.entries()) {
    into.set(images.subarray(index * bytes, (index + 1) * bytes), position * bytes);
  }
}

/** Bytes of one image, all three planes. */
export function imageBytes({ height, width }: Pick<Images, "height" | "width">): number {
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
