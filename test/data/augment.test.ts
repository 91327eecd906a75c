import { describe, expect, it } from "vitest";
import { Augmentation, type Crop, resizeMatrix } from "../../src/data/augment.js";
import { prepareImages } from "../../src/data/in-graph.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { RandomStream } from "../../src/util/random.js";

const SEED = 11;
type Image = readonly (readonly number[])[];

/** A line resampled one pixel at a time, every pixel weighed: PIL's definition, without its shortcuts. */
function resampleLine(line: readonly number[], to: number): number[] {
  const scale = line.length / to;
  const support = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const weights = line.map((_, x) => Math.max(0, 1 - Math.abs((x + 0.5 - (i + 0.5) * scale) / support)));
    const total = weights.reduce((sum, weight) => sum + weight);
    return line.reduce((sum, value, x) => sum + value * weights[x]!, 0) / total;
  });
}

const transposed = (image: Image) => image[0]!.map((_, x) => image.map((row) => row[x]!));
const resampled = (image: Image, height: number, width: number) =>
  transposed(
    transposed(image.map((row) => resampleLine(row, width))).map((row) => resampleLine(row, height)),
  );

/** Resize, crop, resize again, mirror: one after the other, on pixels. */
function naive(image: Image, { top, left, height, width, flip }: Crop, resize: number, size: number): Image {
  const large = resampled(image, resize, resize);
  const crop = large.slice(top, top + height).map((row) => row.slice(left, left + width));
  const result = resampled(crop, size, size);
  return flip ? result.map((row) => row.reverse()) : result;
}

/** rows · image · columnsᵀ */
function applied(image: Image, rows: Float32Array, columns: Float32Array, size: number): Image {
  const height = image.length;
  const width = image[0]!.length;
  return Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => {
      let sum = 0;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          sum += rows[i * height + y]! * image[y]![x]! * columns[j * width + x]!;
        }
      }
      return sum;
    }),
  );
}

function randomImage(height: number, width: number): Image {
  const random = new RandomStream(5, "test image");
  return Array.from({ length: height }, () => Array.from({ length: width }, () => random.integer(256)));
}

function largestDifference(a: Image, b: Image): number {
  return Math.max(...a.flatMap((row, y) => row.map((value, x) => Math.abs(value - b[y]![x]!))));
}

function matrices(augmentation: Augmentation, epoch: number, index: number) {
  const { imageSize, height, width } = augmentation;
  const rows = new Float32Array(imageSize * height);
  const columns = new Float32Array(imageSize * width);
  augmentation.write(SEED, epoch, index, rows, columns, 0);
  return { rows, columns };
}

describe("resizeMatrix", () => {
  it.each([
    [32, 130],
    [130, 128],
    [64, 20],
    [7, 7],
    [1, 4],
  ])("is the bilinear resize from %i to %i", (from, to) => {
    const matrix = resizeMatrix(from, to);
    for (let column = 0; column < from; column++) {
      const unit = Array.from({ length: from }, (_, i) => (i === column ? 1 : 0));
      const line = resampleLine(unit, to);
      for (let row = 0; row < to; row++) expect(matrix[row * from + column]).toBeCloseTo(line[row]!, 6);
    }
  });
});

describe("Augmentation", () => {
  it.each([
    ["enlarging", 9, 12, 24],
    ["shrinking", 40, 30, 16],
  ])("equals resizing, cropping, resizing and mirroring the pixels, %s", (_, height, width, imageSize) => {
    const augmentation = new Augmentation(height, width, { imageSize });
    const image = randomImage(height, width);
    for (let index = 0; index < 12; index++) {
      const { rows, columns } = matrices(augmentation, 2, index);
      const expected = naive(image, augmentation.crop(SEED, 2, index), imageSize + 2, imageSize);
      expect(largestDifference(applied(image, rows, columns, imageSize), expected)).toBeLessThan(1e-3);
    }
  });

  it("depends on seed, epoch and index alone", () => {
    const augmentation = new Augmentation(8, 8, { imageSize: 16 });
    const first = matrices(augmentation, 0, 5);
    matrices(augmentation, 0, 6);
    expect(matrices(augmentation, 0, 5)).toEqual(first);
    expect(matrices(new Augmentation(8, 8, { imageSize: 16 }), 0, 5)).toEqual(first);
    expect(matrices(augmentation, 1, 5)).not.toEqual(first);
  });

  it("mirrors by turning the columns' matrix upside down", () => {
    const kept = matrices(new Augmentation(8, 8, { imageSize: 16, flip: 0 }), 0, 1);
    const flipped = matrices(new Augmentation(8, 8, { imageSize: 16, flip: 1 }), 0, 1);
    expect(flipped.rows).toEqual(kept.rows);
    for (let row = 0; row < 16; row++) {
      expect(flipped.columns.slice(row * 8, row * 8 + 8)).toEqual(
        kept.columns.slice((15 - row) * 8, (16 - row) * 8),
      );
    }
  });

  it("crops within the published bounds and mirrors every second image", () => {
    const augmentation = new Augmentation(32, 32);
    let flips = 0;
    for (let index = 0; index < 2000; index++) {
      const { top, left, height, width, flip } = augmentation.crop(SEED, 0, index);
      expect(top + height).toBeLessThanOrEqual(130);
      expect(left + width).toBeLessThanOrEqual(130);
      expect((height * width) / 130 ** 2).toBeGreaterThan(0.075);
      expect(width / height).toBeGreaterThan(0.72);
      expect(width / height).toBeLessThan(1.38);
      if (flip) flips++;
    }
    expect(Math.abs(flips / 2000 - 0.5)).toBeLessThan(0.05);
  });

  it("takes the largest centred crop when none fits", () => {
    const augmentation = new Augmentation(32, 32, { scale: [1, 1], ratio: [2, 2], flip: 0 });
    expect(augmentation.crop(SEED, 0, 0)).toEqual({ top: 32, left: 0, height: 65, width: 130, flip: false });
  });

  it("rejects options that cannot be", () => {
    expect(() => new Augmentation(32, 32, { imageSize: 0 })).toThrow("positive integers");
    expect(() => new Augmentation(32, 32, { scale: [1, 0.5] })).toThrow("ranges");
    expect(() => new Augmentation(32, 32, { flip: 2 })).toThrow("probability");
  });
});

describe("prepareImages", () => {
  it.each([2, 1])("resamples and normalises two images with %i pair(s) of matrices", async (pairs) => {
    const augmentation = new Augmentation(6, 5, { imageSize: 8 });
    const rows = new Float32Array(pairs * 8 * 6);
    const columns = new Float32Array(pairs * 8 * 5);
    for (let i = 0; i < pairs; i++) augmentation.write(SEED, 0, i, rows, columns, i);
    const images = Uint8Array.from(randomImage(2 * 3 * 6, 5).flat());

    const specs = [spec([2, 3, 6, 5], "uint8"), spec([pairs, 8, 6]), spec([pairs, 8, 5])] as const;
    const prepare = await compile((x, r, c) => prepareImages(x, r, c, { mean: 0.4, std: 0.2 }), specs);
    const result = (await prepare(images, rows, columns)) as Float32Array;
    await prepare.dispose();

    for (let plane = 0; plane < 6; plane++) {
      const pair = pairs === 1 ? 0 : Math.floor(plane / 3);
      const image = Array.from({ length: 6 }, (_, y) => [
        ...images.subarray((plane * 6 + y) * 5, (plane * 6 + y + 1) * 5),
      ]);
      const pixels = applied(image, rows.subarray(pair * 48), columns.subarray(pair * 40), 8).flat();
      pixels.forEach((pixel, i) => {
        expect(result[plane * 64 + i]).toBeCloseTo((pixel / 255 - 0.4) / 0.2, 4);
      });
    }
  });
});
