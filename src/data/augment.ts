import { UsageError } from "../errors/index.js";
import { RandomStream } from "../util/random.js";
import { type BandedMatrix, resizeBands, writeProduct } from "./resample.js";
import type { View } from "./view.js";

export { resizeMatrix } from "./resample.js";

/**
 * Options of {@link Augmentation}: resize, random resized crop and mirroring. The defaults are the published
 * ones.
 */
export interface AugmentationOptions {
  /** Height and width of the result. Defaults to 128. */
  readonly imageSize?: number;
  /** Height and width to resize the image to before cropping. Defaults to `imageSize` + 2. */
  readonly resize?: number;
  /** Smallest and largest area of the crop, as a share of the image. Defaults to [0.08, 1]. */
  readonly scale?: readonly [number, number];
  /** Smallest and largest aspect ratio (width / height) of the crop. Defaults to [3/4, 4/3]. */
  readonly ratio?: readonly [number, number];
  /** Probability of a horizontal flip. Defaults to 0.5. */
  readonly flip?: number;
}

/** A rectangle in the resized image. */
export interface Crop {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  readonly flip: boolean;
}

const CROP_ATTEMPTS = 10;

/**
 * Random resized crops, each as two matrices: the augmented image is rows · image · columnsᵀ. The result for
 * an image only depends on the seed, the epoch and its index.
 *
 * @example
 * const augmentation = new Augmentation(32, 32);
 * augmentation.write(42, epoch, index, rows, columns, 0);
 */
export class Augmentation {
  readonly imageSize: number;
  readonly resize: number;
  readonly #scale: readonly [number, number];
  readonly #ratio: readonly [number, number];
  readonly #flip: number;
  readonly #vertical: BandedMatrix;
  readonly #horizontal: BandedMatrix;
  readonly #byLength: BandedMatrix[] = [];

  /**
   * @param height of the stored images
   * @param width of the stored images
   * @throws UsageError if a size is not a positive integer, a range is empty or a probability is not between
   * 0 and 1
   */
  constructor(
    readonly height: number,
    readonly width: number,
    options: AugmentationOptions = {},
  ) {
    this.imageSize = options.imageSize ?? 128;
    this.resize = options.resize ?? this.imageSize + 2;
    this.#scale = options.scale ?? [0.08, 1];
    this.#ratio = options.ratio ?? [3 / 4, 4 / 3];
    this.#flip = options.flip ?? 0.5;
    for (const size of [height, width, this.imageSize, this.resize]) {
      if (!(Number.isInteger(size) && size > 0)) {
        throw new UsageError(`augmentation needs sizes that are positive integers, not ${size}`);
      }
    }
    for (const [low, high] of [this.#scale, this.#ratio]) {
      if (!(low > 0 && low <= high)) {
        throw new UsageError(`augmentation needs ranges of positive numbers, not [${low}, ${high}]`);
      }
    }
    if (!(this.#flip >= 0 && this.#flip <= 1)) {
      throw new UsageError(`the probability to flip must be between 0 and 1, not ${this.#flip}`);
    }
    this.#vertical = resizeBands(height, this.resize);
    this.#horizontal = resizeBands(width, this.resize);
  }

  /** The crop of an image, in pixels of the resized image, as in torchvision's `RandomResizedCrop`. */
  crop(seed: number, epoch: number, index: number): Crop {
    const stream = new RandomStream(seed, "augment", epoch, index);
    const flip = stream.uniform() < this.#flip;
    const size = this.resize;
    const [minScale, maxScale] = this.#scale;
    const [minRatio, maxRatio] = this.#ratio;
    const logRatio = Math.log(minRatio);
    const logRange = Math.log(maxRatio) - logRatio;
    for (let attempt = 0; attempt < CROP_ATTEMPTS; attempt++) {
      const area = size * size * (minScale + (maxScale - minScale) * stream.uniform());
      const ratio = Math.exp(logRatio + logRange * stream.uniform());
      const width = Math.round(Math.sqrt(area * ratio));
      const height = Math.round(Math.sqrt(area / ratio));
      if (width < 1 || width > size || height < 1 || height > size) continue;
      const top = stream.integer(size - height + 1);
      const left = stream.integer(size - width + 1);
      return { top, left, height, width, flip };
    }
    const height = minRatio > 1 ? Math.max(1, Math.round(size / minRatio)) : size;
    const width = maxRatio < 1 ? Math.max(1, Math.round(size * maxRatio)) : size;
    return { top: (size - height) >> 1, left: (size - width) >> 1, height, width, flip };
  }

  /**
   * Writes the matrices of one image, and returns the view that they show.
   *
   * @param rows [any, imageSize, height]
   * @param columns [any, imageSize, width]
   * @param position index in the outermost dimension of both to write to
   */
  write(
    seed: number,
    epoch: number,
    index: number,
    rows: Float32Array,
    columns: Float32Array,
    position: number,
  ): View {
    const { top, left, height, width, flip } = this.crop(seed, epoch, index);
    const rowsAt = position * this.imageSize * this.height;
    const columnsAt = position * this.imageSize * this.width;
    writeProduct(this.#fromLength(height), this.#vertical, top, this.height, rows, rowsAt, false);
    writeProduct(this.#fromLength(width), this.#horizontal, left, this.width, columns, columnsAt, flip);
    const { resize } = this;
    return { left: left / resize, top: top / resize, width: width / resize, height: height / resize, flip };
  }

  #fromLength(length: number): BandedMatrix {
    this.#byLength[length] ??= resizeBands(length, this.imageSize);
    return this.#byLength[length];
  }
}
