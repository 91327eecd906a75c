import { describe, expect, it } from "vitest";
import { averageFlipped, decodeHeatmaps, heatmapTargets } from "../../src/keypoints/index.js";

const sizes = { imageSize: [48, 64], heatmapSize: [12, 16] } as const;

describe("heatmap targets", () => {
  it("are Gaussians about the nearest pixel, cut off at three sigma", () => {
    const { target, weight } = heatmapTargets(Float32Array.of(22, 33), Float32Array.of(2), {
      ...sizes,
      sigma: 1,
    });
    expect([...weight]).toEqual([1]);
    for (let y = 0; y < 16; y++) {
      for (let x = 0; x < 12; x++) {
        const [dx, dy] = [x - 6, y - 8];
        const inside = Math.max(Math.abs(dx), Math.abs(dy)) <= 3;
        expect(target[12 * y + x]).toBeCloseTo(inside ? Math.exp(-(dx * dx + dy * dy) / 2) : 0, 6);
      }
    }
  });

  it("are empty and weigh nothing where a keypoint is not labelled or far outside", () => {
    const keypoints = Float32Array.of(24, 32, 24, 32, 90, 32, 24, -40);
    const { target, weight } = heatmapTargets(keypoints, Float32Array.of(0, 1, 2, 2), sizes);
    expect([...weight]).toEqual([0, 1, 0, 0]);
    const sums = [0, 1, 2, 3].map((j) => target.subarray(192 * j, 192 * (j + 1)).reduce((a, b) => a + b, 0));
    expect(sums[1]).toBeGreaterThan(10);
    expect([sums[0], sums[2], sums[3]]).toEqual([0, 0, 0]);
  });

  it("have the keypoints themselves as centres if they are to be unbiased, and are decoded more exactly", () => {
    const error = (unbiased: boolean) => {
      const distances = Array.from({ length: 16 }, (_, n) => {
        const [x, y] = [20 + n / 4, 28 + (n % 5) * 0.8];
        const options = { ...sizes, sigma: 1, unbiased };
        const { target } = heatmapTargets(Float32Array.of(x, y), Float32Array.of(2), options);
        const [u, v] = decodeHeatmaps(target, [12, 16]).keypoints;
        return Math.hypot(u! - x / 4, v! - y / 4);
      });
      return distances.reduce((sum, distance) => sum + distance, 0) / distances.length;
    };
    expect(error(true)).toBeLessThan(0.6 * error(false));
  });

  it("refuse a sigma that is no whole number", () => {
    expect(() => heatmapTargets(Float32Array.of(1, 1), Float32Array.of(1), { ...sizes, sigma: 1.5 })).toThrow(
      /positive whole number/,
    );
  });
});

describe("decoding", () => {
  it("finds keypoints where targets were drawn, to the pixel", () => {
    const { target } = heatmapTargets(Float32Array.of(20, 28), Float32Array.of(2), { ...sizes, sigma: 1 });
    expect(decodeHeatmaps(target, [12, 16])).toEqual({
      keypoints: Float32Array.of(5, 7),
      score: Float32Array.of(1),
    });
  });

  it("moves by a quarter towards the larger neighbours, but not at the edge", () => {
    const map = (x: number, y: number) => {
      const values = new Float32Array(64);
      values[8 * y + x] = 1;
      values[8 * y + x + (x < 7 ? 1 : -1)] = 0.5;
      values[8 * (y - 1) + x] = 0.25;
      return [...decodeHeatmaps(values, [8, 8]).keypoints];
    };
    expect(map(4, 4)).toEqual([4.25, 3.75]);
    expect(map(7, 4)).toEqual([7, 4]);
    expect([...decodeHeatmaps(new Float32Array(64), [8, 8]).keypoints]).toEqual([0, 0]);
  });

  it("averages with the mirror image: pairs exchanged, turned round, moved by one", () => {
    const of = (...values: number[]) => Float32Array.from(values);
    const shape = { keypoints: 2, size: [3, 1] } as const;
    const [straight, mirrored] = [of(0, 0, 0, 0, 0, 0), of(1, 2, 3, 4, 5, 6)];
    const options = { flipPairs: [[0, 1]] } as const;
    expect(averageFlipped(straight, mirrored, shape, { ...options, shift: false })).toEqual(
      of(3, 2.5, 2, 1.5, 1, 0.5),
    );
    expect(averageFlipped(straight, mirrored, shape, options)).toEqual(of(3, 3, 2.5, 1.5, 1.5, 1));
  });
});
