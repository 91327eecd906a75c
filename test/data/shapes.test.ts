import { describe, expect, it } from "vitest";
import { allIndices, type MemoryDataset, splitIndices } from "../../src/data/dataset.js";
import { generateShapes } from "../../src/data/shapes.js";

const small = { train: 100, test: 20, size: 16 };

describe("generateShapes", () => {
  it("gives the same images for the same seed, others for another", () => {
    const pair = generateShapes({ ...small, seed: 3 });
    expect(generateShapes({ ...small, seed: 3 })).toEqual(pair);
    expect(generateShapes({ ...small, seed: 4 }).train.images).not.toEqual(pair.train.images);
    expect(pair.fingerprint).toBe("shapes-3-100-20-16");
  });

  it("draws ten balanced classes of the size asked for", () => {
    const { train, test } = generateShapes(small);
    expect(train.classes).toHaveLength(10);
    expect(train.images).toHaveLength(100 * 3 * 16 * 16);
    expect(test.labels).toHaveLength(20);
    for (let label = 0; label < 10; label++) {
      expect(train.labels.filter((other) => other === label)).toHaveLength(10);
    }
  });

  it("mixes the classes, so that every tenth image is not of one class", () => {
    const { train } = generateShapes(small);
    expect(new Set(train.labels.filter((_, i) => i % 10 === 0)).size).toBeGreaterThan(3);
  });

  it("shares no images between training and test", () => {
    const { train, test } = generateShapes({ train: 1, test: 1 });
    expect(train.images).not.toEqual(test.images);
  });

  it("does not tell the class by colour", () => {
    const { train } = generateShapes({ train: 2000, test: 0, size: 16 });
    const plane = 16 * 16;
    for (let channel = 0; channel < 3; channel++) {
      const sums = new Float64Array(10);
      for (let i = 0; i < train.length; i++) {
        const start = (i * 3 + channel) * plane;
        for (let at = start; at < start + plane; at++) sums[train.labels[i]!]! += train.images[at]!;
      }
      const means = Array.from(sums, (sum) => sum / (200 * plane));
      for (const mean of means) expect(Math.abs(mean - 127.5)).toBeLessThan(20);
    }
  });

  it("does not tell the class by where it is light and dark", () => {
    const { train, test } = generateShapes({ train: 2000, test: 500, size: 16 });
    const pixels = 3 * 16 * 16;
    const image = (set: MemoryDataset, i: number) => set.images.subarray(i * pixels, (i + 1) * pixels);
    const means = train.classes.map(() => new Float64Array(pixels));
    for (const [i, label] of train.labels.entries()) {
      image(train, i).forEach((value, at) => {
        means[label]![at]! += value / 200;
      });
    }
    const distance = (a: Uint8Array, b: Float64Array) =>
      a.reduce((sum, value, at) => sum + (value - b[at]!) ** 2, 0);
    const nearest = (pixels: Uint8Array) => {
      const distances = means.map((mean) => distance(pixels, mean));
      return distances.indexOf(Math.min(...distances));
    };
    const hits = test.labels.filter((label, i) => nearest(image(test, i)) === label).length;
    expect(hits / test.length).toBeLessThan(0.25);
  });
});

describe("splitIndices", () => {
  it("parts all indices, the same way for the same seed", () => {
    const { train, validation } = splitIndices(50, 0.1, 7);
    expect(validation).toHaveLength(5);
    expect(Uint32Array.from([...train, ...validation]).sort()).toEqual(allIndices(50));
    expect(splitIndices(50, 0.1, 7)).toEqual({ train, validation });
    expect(splitIndices(50, 0.1, 8).validation).not.toEqual(validation);
  });

  it("rejects a fraction that leaves nothing to train on", () => {
    expect(() => splitIndices(10, 1, 0)).toThrow("validation fraction");
  });
});

describe("allIndices", () => {
  it("stops at the limit", () => {
    expect(allIndices(5, 2)).toHaveLength(2);
    expect(allIndices(2, 5)).toEqual(Uint32Array.of(0, 1));
  });
});
