import { describe, expect, it } from "vitest";
import { allIndices, BatchLoader, generateFigures, WHOLE_VIEW } from "../../src/data/index.js";
import { cropAboutBox, decodeHeatmaps, varyCrop } from "../../src/keypoints/index.js";
import { createTask } from "../../src/tasks/index.js";
import { RandomStream } from "../../src/util/random.js";

const { train, test } = generateFigures({ train: 12, test: 12, seed: 3 });
const joints = 17;

function targetsOfFigure(index: number) {
  const into = { heatmaps: new Float32Array(joints * 256), weight: new Float32Array(joints) };
  test.targets.write(index, WHOLE_VIEW, into, 0);
  return into;
}

describe("figures", () => {
  it("are the same for the same seed, and others for another", () => {
    const again = generateFigures({ train: 12, test: 12, seed: 3 });
    expect(again.test.objects).toEqual(test.objects);
    expect(generateFigures({ train: 12, test: 12, seed: 4 }).test.objects).not.toEqual(test.objects);
    expect(train.objects).not.toEqual(test.objects);
  });

  it("are several an image, partly hidden, and within their boxes", () => {
    const all = [...train.objects, ...test.objects];
    expect(all.length).toBeGreaterThan(24);
    const flags = all.flatMap(({ keypoints }) => Array.from(keypoints).filter((_, i) => i % 3 === 2));
    for (const flag of [1, 2]) expect(flags).toContain(flag);
    expect(flags.filter((flag) => flag === 2).length / flags.length).toBeGreaterThan(0.7);
    for (const { keypoints, bbox } of all) {
      for (let j = 0; j < joints; j++) {
        if (keypoints[3 * j + 2] === 0) continue;
        expect(keypoints[3 * j]!).toBeGreaterThanOrEqual(bbox[0]);
        expect(keypoints[3 * j]!).toBeLessThanOrEqual(bbox[0] + bbox[2]);
      }
    }
  });

  it("vary in training batches, by the seed, and targets move along", async () => {
    const options = { indices: allIndices(train.length), batchSize: 4, seed: 1, imageSize: 64 };
    const copy = async (seed: number) => {
      const { images, targets } = await new BatchLoader(train, { ...options, seed }).batch(0, 0);
      return { images: images.slice(), heatmaps: (targets.heatmaps as Float32Array).slice() };
    };
    const first = await copy(1);
    expect(await copy(1)).toEqual(first);
    expect((await copy(2)).images).not.toEqual(first.images);
  });

  it("keep left and right in a mirrored crop: paired keypoints change places", async () => {
    // A figure faces the viewer, so its left shoulder lies right of its right one, mirrored or not.
    let [compared, flipped] = [0, 0];
    for (const [index, { keypoints }] of test.objects.entries()) {
      if (keypoints[3 * 5 + 2] === 0 || keypoints[3 * 6 + 2] === 0) continue;
      const images = new Uint8Array(3 * 64 * 64);
      const into = { heatmaps: new Float32Array(joints * 256), weight: new Float32Array(joints) };
      const random = () => new RandomStream(5, "test", index);
      await test.vary!(index, random(), images, into, 0);
      if (into.weight[5] === 0 || into.weight[6] === 0) continue;
      const { keypoints: found } = decodeHeatmaps(into.heatmaps, [16, 16]);
      expect(found[2 * 5]!).toBeGreaterThan(found[2 * 6]!);
      compared++;
      if (varyCrop(cropAboutBox([0, 0, 1, 1], { size: [64, 64] }), random()).flip) flipped++;
    }
    expect(compared).toBeGreaterThan(8);
    expect(flipped).toBeGreaterThan(2);
  });

  it("scored by their own targets, have an average precision near 1; by wrong ones near 0", () => {
    const task = createTask("keypoints");
    const indices = allIndices(test.length);
    const rows = (shift: number) =>
      Float32Array.from(
        Array.from(indices, (index) => {
          const { keypoints, score } = decodeHeatmaps(targetsOfFigure(index).heatmaps, [16, 16]);
          const part = (i: number) => keypoints[i]! / 16 + shift;
          return Array.from(score, (value, j) => [part(2 * j), part(2 * j + 1), value]).flat();
        }).flat(),
      );
    const pck = new Float32Array(test.length).fill(1);
    const ap = (shift: number) => task.score({ keypoints: rows(shift), pck }, { dataset: test, indices }).ap!;
    expect(ap(0)).toBeGreaterThan(0.9);
    expect(ap(0.3)).toBeLessThan(0.05);
  });

  it("are drawn as annotated, hidden joints told apart", () => {
    const task = createTask("keypoints");
    for (const [index, { keypoints }] of test.objects.entries()) {
      const { marks = [] } = task.truth(targetsOfFigure(index), test.classes, { dataset: test, index });
      const dots = marks.filter(({ points }) => points.length === 1);
      const flags = Array.from(keypoints).filter((flag, i) => i % 3 === 2 && flag > 0);
      expect(dots.map(({ hidden = false }) => hidden)).toEqual(flags.map((flag) => flag === 1));
      const { weight } = targetsOfFigure(index);
      expect(dots.length).toBeGreaterThanOrEqual(weight.reduce((sum, value) => sum + value, 0));
    }
  });
});
