import { UsageError } from "../errors/index.js";
import { allocate } from "../ir/index.js";
import { RandomStream } from "../util/random.js";
import { elementCount } from "../util/shape.js";
import { Augmentation, type AugmentationOptions } from "./augment.js";
import {
  type Dataset,
  readPixels,
  type TargetArrays,
  type TargetDataset,
  type TargetSource,
  targetsOf,
} from "./dataset.js";
import { resizeMatrix } from "./resample.js";
import { WHOLE_VIEW } from "./view.js";

/** The input of one step: bytes, and the matrices that resample them in the graph. */
export interface Batch {
  /** [B, 3, h, w] */
  readonly images: Uint8Array;
  /** [B, S, h]; [1, S, h] without augmentation. */
  readonly rows: Float32Array;
  /** [B, S, w]; [1, S, w] without augmentation. */
  readonly columns: Float32Array;
  /** Targets by name, [B, …]. Labels are named `targets`, [B]. */
  readonly targets: TargetArrays;
  /** Number of real images. The rest of the batch repeats them from the start. */
  readonly count: number;
  /** Indices of the images in the data set: [B] */
  readonly indices: Uint32Array;
}

/** Options of {@link BatchLoader}. */
export interface BatchLoaderOptions {
  /** Indices of the images to use, such as those of a split. */
  readonly indices: Uint32Array;
  readonly batchSize: number;
  readonly seed: number;
  /** Height and width S of the images in the graph. Defaults to 128. */
  readonly imageSize?: number;
  /** Defaults to the published augmentation. "none" resizes all images alike, for evaluation. */
  readonly augmentation?: Omit<AugmentationOptions, "imageSize"> | "none";
  /** Whether to shuffle the images anew each epoch. Defaults to true. */
  readonly shuffle?: boolean;
  /** Whether to drop a last batch that is not full. Defaults to false. */
  readonly dropLast?: boolean;
}

interface Buffers {
  readonly images: Uint8Array;
  readonly rows: Float32Array;
  readonly columns: Float32Array;
  readonly targets: TargetArrays;
  readonly indices: Uint32Array;
}

/**
 * Loads batches by epoch and number, in any order. Two sets of buffers alternate, so a batch stays valid
 * while the next one is prepared, and is overwritten by the one after that.
 *
 * @example
 * const loader = new BatchLoader(train, { indices: allIndices(train.length), batchSize: 128, seed: 42 });
 * for (let number = 0; number < loader.batches; number++) await step(await loader.batch(epoch, number));
 */
export class BatchLoader {
  /** Batches per epoch. */
  readonly batches: number;
  /** Number of images. */
  readonly length: number;
  readonly batchSize: number;
  readonly imageSize: number;
  readonly #indices: Uint32Array;
  readonly #seed: number;
  readonly #shuffle: boolean;
  readonly #augmentation: Augmentation | undefined;
  readonly #targets: TargetSource;
  readonly #vary: TargetDataset["vary"];
  readonly #buffers: readonly [Buffers, Buffers];
  #next: 0 | 1 = 0;
  #epoch = -1;
  #order: Uint32Array;

  /**
   * @throws UsageError if the batch size is not a positive integer, or there are too few images for a batch
   */
  constructor(
    readonly dataset: Dataset,
    options: BatchLoaderOptions,
  ) {
    const { indices, batchSize, seed, imageSize = 128, augmentation = {}, shuffle = true } = options;
    if (!(Number.isInteger(batchSize) && batchSize > 0)) {
      throw new UsageError(`the batch size must be a positive integer, not ${batchSize}`);
    }
    const exact = indices.length / batchSize;
    this.batches = options.dropLast ? Math.floor(exact) : Math.ceil(exact);
    if (this.batches === 0) {
      throw new UsageError(
        `${indices.length} images of ${dataset.name} do not make a batch of ${batchSize}`,
        {
          hint:
            indices.length === 0
              ? "Give it images."
              : `Choose a batch size of at most ${indices.length}; training leaves out a last batch that is not full.`,
        },
      );
    }
    this.length = indices.length;
    this.batchSize = batchSize;
    this.imageSize = imageSize;
    this.#indices = indices;
    this.#order = indices;
    this.#seed = seed;
    this.#shuffle = shuffle;
    const { height, width } = dataset;
    const varied = augmentation !== "none";
    this.#vary = varied && "vary" in dataset ? dataset.vary : undefined;
    this.#augmentation =
      !varied || this.#vary !== undefined
        ? undefined
        : new Augmentation(height, width, { ...augmentation, imageSize });
    this.#targets = targetsOf(dataset);
    this.#buffers = [this.#allocate(varied), this.#allocate(varied)];
  }

  /**
   * Loads a batch by number, 0 … `batches` − 1. It is valid until the second call after this one.
   *
   * @throws UsageError if there is no batch with this number
   * @throws DataError if an image that is read on demand cannot be read
   */
  async batch(epoch: number, number: number): Promise<Batch> {
    if (!(Number.isInteger(number) && number >= 0 && number < this.batches)) {
      throw new UsageError(`there is no batch ${number}; an epoch has ${this.batches}`);
    }
    this.#arrange(epoch);
    const buffers = this.#buffers[this.#next];
    this.#next = this.#next === 0 ? 1 : 0;
    const start = number * this.batchSize;
    const count = Math.min(this.batchSize, this.#order.length - start);
    const { images, rows, columns, targets, indices } = buffers;
    for (let i = 0; i < this.batchSize; i++) indices[i] = this.#order[start + (i % count)]!;
    if (this.#vary !== undefined) {
      await this.#writeVaried(epoch, buffers);
      return { ...buffers, count };
    }
    for (const [i, index] of indices.entries()) {
      const view = this.#augmentation?.write(this.#seed, epoch, index, rows, columns, i) ?? WHOLE_VIEW;
      this.#targets.write(index, view, targets, i);
    }
    await readPixels(this.dataset, indices, images);
    return { ...buffers, count };
  }

  async #writeVaried(epoch: number, { indices, images, targets }: Buffers): Promise<void> {
    const write = (index: number, position: number) => {
      const random = new RandomStream(this.#seed, "augment", epoch, index);
      return this.#vary!(index, random, images, targets, position);
    };
    await Promise.all(Array.from(indices, write));
  }

  /** @param each whether each image gets its own matrices, or all share them */
  #allocate(each: boolean): Buffers {
    const { batchSize, imageSize } = this;
    const { height, width } = this.dataset;
    const matrix = (from: number) => {
      const resize = resizeMatrix(from, imageSize);
      if (!each) return resize;
      const all = new Float32Array(batchSize * resize.length);
      for (let i = 0; i < batchSize; i++) all.set(resize, i * resize.length);
      return all;
    };
    return {
      images: new Uint8Array(batchSize * 3 * height * width),
      rows: matrix(height),
      columns: matrix(width),
      targets: Object.fromEntries(
        Object.entries(this.#targets.specs).map(([name, { dtype, shape }]) => [
          name,
          allocate(dtype, batchSize * elementCount(shape)),
        ]),
      ),
      indices: new Uint32Array(batchSize),
    };
  }

  #arrange(epoch: number): void {
    if (!this.#shuffle || epoch === this.#epoch) return;
    const permutation = new RandomStream(this.#seed, "shuffle", epoch).permutation(this.#indices.length);
    this.#order = permutation.map((position) => this.#indices[position]!);
    this.#epoch = epoch;
  }
}
