import { describe, expect, it } from "vitest";
import {
  COCO_SKELETON,
  type KeypointTruth,
  keypointAveragePrecision,
  objectKeypointSimilarity,
} from "../../src/keypoints/index.js";

const { keypoints: names, sigmas } = COCO_SKELETON;

/** A figure in a square of that side; every keypoint labelled, moved by `shift` pixels. */
const figure = (side: number, shift = 0) =>
  names.flatMap((_, i) => [((i * 7) % 17) * (side / 16) + shift, ((i * 5) % 17) * (side / 16), 2]);
const truth = (imageId: number, side: number, more: Partial<KeypointTruth> = {}): KeypointTruth => ({
  ...{ imageId, keypoints: figure(side), area: side * side, bbox: [0, 0, side, side] },
  ...more,
});
const found = (imageId: number, side: number, score: number, shift = 0) => ({
  ...{ imageId, keypoints: figure(side, shift), score },
});

describe("object keypoint similarity", () => {
  it("is the mean over labelled keypoints", () => {
    const keypoints = figure(100).map((value, i) => (i === 2 ? 0 : value));
    const expected =
      sigmas.slice(1).reduce((sum, sigma) => sum + Math.exp(-25 / (2 * 1e4 * (2 * sigma) ** 2)), 0) / 16;
    expect(objectKeypointSimilarity(figure(100, 5), truth(1, 100, { keypoints }))).toBeCloseTo(expected, 10);
  });

  it("of an object without keypoints is 1 within its doubled box", () => {
    const empty = truth(1, 100, { keypoints: new Array(51).fill(0) });
    expect(objectKeypointSimilarity(figure(100, 90), empty)).toBe(1);
    expect(objectKeypointSimilarity(figure(100, 500), empty)).toBeLessThan(0.1);
  });
});

describe("average precision", () => {
  it("is 1 for what is found exactly, in the range of areas that has objects", () => {
    const { scores } = keypointAveragePrecision(
      [truth(1, 80), truth(2, 80)],
      [found(1, 80, 0.3), found(2, 80, 0.9)],
    );
    expect(scores).toMatchObject({ ap: 1, ap50: 1, apMedium: 1, apLarge: -1, ar: 1, arLarge: -1 });
  });

  it("falls with what is missed, and with false detections that come before true ones", () => {
    const truths = [truth(1, 80), truth(2, 80)];
    const missed = keypointAveragePrecision(truths, [found(1, 80, 0.3)]).scores;
    expect(missed.ap).toBeCloseTo(51 / 101, 10);
    expect(missed.ar).toBe(0.5);
    const misled = [found(1, 80, 0.9, 300), found(1, 80, 0.8), found(2, 80, 0.7)];
    expect(keypointAveragePrecision(truths, misled).scores.ap).toBeCloseTo(2 / 3, 10);
  });

  it("counts a second detection of an object as false, but of a crowd not at all", () => {
    const twice = [found(1, 80, 0.9), found(1, 80, 0.8), found(2, 80, 0.7)];
    const ap = (crowd: boolean) =>
      keypointAveragePrecision([truth(1, 80, { crowd }), truth(2, 80)], twice).scores.ap;
    expect(ap(false)).toBeCloseTo((51 + 50 * (2 / 3)) / 101, 10);
    expect(ap(true)).toBe(1);
  });

  it("leaves out objects without keypoints and detections beyond the limit", () => {
    const empty = truth(1, 80, { keypoints: new Array(51).fill(0) });
    const both = [found(1, 80, 0.9), found(1, 80, 0.8, 1)];
    expect(keypointAveragePrecision([truth(1, 80), empty], both).scores.ap).toBe(1);
    const limited = keypointAveragePrecision([truth(1, 80)], [found(1, 80, 0.9, 300), found(1, 80, 0.8)], {
      maxDetections: 1,
    });
    expect(limited.scores.ap).toBe(0);
  });

  it("says -1 where there is nothing to find", () => {
    expect(keypointAveragePrecision([], [found(1, 80, 0.9)]).scores.ap).toBe(-1);
  });
});
