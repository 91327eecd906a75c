import { UsageError } from "../errors/index.js";
import type { DType, TensorData } from "../ir/index.js";
import { RandomStream } from "../util/random.js";
import type { View } from "./view.js";

/** Images that are read on demand, such as files that do not fit into memory. */
export interface ImageSource {
  /**
   * Writes the bytes of images, in order.
   *
   * @param into uint8 [indices, 3, height, width]
   */
  readonly read: (indices: Uint32Array, into: Uint8Array) => void | Promise<void>;
}

/** RGB images of one size. */
export interface Images {
  readonly name: string;
  /** Meaning of a network's outputs: class names by label, or names of values. */
  readonly classes: readonly string[];
  /** Number of images. */
  readonly length: number;
  readonly height: number;
  readonly width: number;
  /**
   * Pixels 0 … 255, as red, green and blue planes: [length, 3, height, width], or a source to read them from.
   */
  readonly images: Uint8Array | ImageSource;
}

/** Images with one class each. */
export interface ImageDataset extends Images {
  /** Labels as indices into `classes`: [length]. */
  readonly labels: Int32Array;
}

/** A labelled data set held in memory. */
export interface MemoryDataset extends ImageDataset {
  readonly images: Uint8Array;
}

/** Arrays by name. */
export type TargetArrays = Readonly<Record<string, TensorData>>;

/** Targets other than classes. */
export interface TargetSource {
  /** Type and shape of the targets per image, by name. */
  readonly specs: Readonly<Record<string, { readonly dtype: DType; readonly shape: readonly number[] }>>;
  /**
   * Writes the targets of an image for a view of it. Targets that have a position in the image move along.
   *
   * @param into arrays of rows, by name
   * @param position index of the row to write
   */
  readonly write: (index: number, view: View, into: TargetArrays, position: number) => void;
}

/** Images with targets of any kind. */
export interface TargetDataset extends Images {
  /** Name of the task that the targets are for. */
  readonly task: string;
  readonly targets: TargetSource;
  /**
   * Writes a randomly augmented image and its targets. Replaces the random crops of training batches, if
   * those do not suit the data.
   *
   * @param images uint8 [any, 3, height, width]
   * @param into arrays of rows, by name
   * @param position index of the row to write, in both
   */
  readonly vary?: (
    index: number,
    random: RandomStream,
    images: Uint8Array,
    into: TargetArrays,
    position: number,
  ) => Promise<void>;
}

/** Images and their targets. */
export type Dataset = ImageDataset | TargetDataset;

/** A training and a test set with the same classes and image size. */
export interface DatasetPair<Part extends Dataset = Dataset> {
  readonly name: string;
  readonly train: Part;
  readonly test: Part;
  /** Identifies the data, to tell whether two runs used the same. */
  readonly fingerprint: string;
  /** Caveat that readers of results must know. */
  readonly note?: string;
  /** What was held out, skipped or resized when the data was read, one sentence each. */
  readonly notices?: readonly string[];
}

/** Name of the task that a data set is for. */
export function taskOf(dataset: Dataset): string {
  return "labels" in dataset ? "classification" : dataset.task;
}

/** The targets of a data set. Those of labelled images are named `targets`: int64 labels. */
export function targetsOf(dataset: Dataset): TargetSource {
  if (!("labels" in dataset)) return dataset.targets;
  return {
    specs: { targets: { dtype: "int64", shape: [] } },
    write: (index, _view, { targets }, position) => {
      targets![position] = BigInt(dataset.labels[index]!);
    },
  };
}

/** Writes the bytes of images: uint8 [indices, 3, height, width]. */
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

/** Bytes of one image, in all three planes. */
export function imageBytes({ height, width }: Pick<Images, "height" | "width">): number {
  return 3 * height * width;
}

/**
 * Randomly splits 0 … length − 1 into training and validation indices, each ascending.
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
 * The indices 0 … length − 1, or `limit` of them, evenly spaced, so that data sorted by class keeps every
 * class.
 *
 * @throws UsageError if the limit is not a positive integer
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
 * @throws UsageError if the limit is not a positive integer
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
