import { describe, expect, it } from "vitest";
import {
  cropAboutBox,
  cropToImage,
  invertAffine,
  transformPoint,
  varyCrop,
  warpImage,
} from "../../src/keypoints/index.js";
import { RandomStream } from "../../src/util/random.js";

const size = [48, 64] as const;

describe("crops about boxes", () => {
  it("have the proportions of the crop and a quarter more", () => {
    expect(cropAboutBox([10, 20, 30, 80], { size })).toEqual({ centre: [25, 60], extent: [75, 100] });
    expect(cropAboutBox([10, 20, 90, 20], { size }).extent).toEqual([112.5, 150]);
    expect(cropAboutBox([10, 20, 30, 80], { size, padding: 1 }).extent).toEqual([60, 80]);
  });

  it("map their middle onto the middle of the box, however they are turned", () => {
    const crop = cropAboutBox([10, 20, 30, 80], { size });
    for (const rotation of [0, 30, -90]) {
      const [x, y] = transformPoint(cropToImage({ ...crop, rotation }, size), [24, 32]);
      expect([x, y].map((value) => Math.round(1e6 * value) / 1e6)).toEqual([25, 60]);
    }
    expect(transformPoint(cropToImage({ ...crop, rotation: 90 }, size), [25, 32])[1]).toBeCloseTo(
      60 + 75 / 48,
      6,
    );
  });

  it("mirrored, are the same crop with its columns the other way round", () => {
    const crop = { ...cropAboutBox([10, 20, 30, 80], { size }), rotation: 20 };
    const straight = transformPoint(cropToImage(crop, size), [5, 9]);
    const there = transformPoint(cropToImage({ ...crop, rotation: 20, flip: true }, size), [47 - 5, 9]);
    expect(there[0]).toBeCloseTo(straight[0], 6);
    expect(there[1]).toBeCloseTo(straight[1], 6);
  });

  it("map back what they mapped", () => {
    const matrix = cropToImage({ centre: [31, 17], extent: [90, 70], rotation: 33, flip: true }, size);
    const [x, y] = transformPoint(invertAffine(matrix), transformPoint(matrix, [7, 11]));
    expect(x).toBeCloseTo(7, 6);
    expect(y).toBeCloseTo(11, 6);
  });

  it("vary within their bounds, by the seed", () => {
    const crop = cropAboutBox([0, 0, 48, 64], { size });
    const all = Array.from({ length: 200 }, (_, i) => varyCrop(crop, new RandomStream(1, "test", i)));
    expect(all).toEqual(
      Array.from({ length: 200 }, (_, i) => varyCrop(crop, new RandomStream(1, "test", i))),
    );
    for (const { extent, rotation = 0 } of all) {
      expect(extent[0] / crop.extent[0]).toBeGreaterThanOrEqual(0.7 - 1e-9);
      expect(extent[0] / crop.extent[0]).toBeLessThanOrEqual(1.3 + 1e-9);
      expect(Math.abs(rotation)).toBeLessThanOrEqual(80);
    }
    const flips = all.filter(({ flip }) => flip).length;
    expect(flips).toBeGreaterThan(70);
    expect(flips).toBeLessThan(130);
    expect(all.filter(({ rotation }) => rotation === 0).length).toBeGreaterThan(50);
  });
});

describe("warping", () => {
  const pixels = Uint8Array.from({ length: 3 * 20 }, (_, i) => 4 * i);
  const image = { pixels, width: 5, height: 4 };

  it("is the identity, a shift with black beyond, and bilinear between", () => {
    const same = new Uint8Array(60);
    warpImage(image, [1, 0, 0, 0, 1, 0], [5, 4], same);
    expect(same).toEqual(pixels);
    const shifted = new Uint8Array(60);
    warpImage(image, [1, 0, 2, 0, 1, 0], [5, 4], shifted);
    expect([...shifted.subarray(0, 5)]).toEqual([8, 12, 16, 0, 0]);
    const between = new Uint8Array(3);
    warpImage(image, [1, 0, 1.5, 0, 1, 0.5], [1, 1], between);
    expect(between[0]).toBe(Math.round((4 + 8 + 24 + 28) / 4));
    expect(between[2]).toBe(Math.round((4 + 8 + 24 + 28) / 4 + 160));
  });
});
