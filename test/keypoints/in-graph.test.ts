import { describe, expect, it } from "vitest";
import {
  averageFlipped,
  averageFlippedInGraph,
  decodeHeatmaps,
  keypointsOf,
  mirrored,
} from "../../src/keypoints/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { RandomStream } from "../../src/util/random.js";

const shape = [2, 3, 6, 8] as const;
const random = (name: string) => {
  const stream = new RandomStream(1, name);
  return Float32Array.from({ length: 288 }, () => stream.uniform());
};

describe("in the graph", () => {
  it("keypoints are those that are decoded outside of it", async () => {
    const heatmaps = random("maps");
    // One at the edge, where nothing is moved.
    heatmaps[3 * 8] = 2;
    const run = await compile(keypointsOf, [spec(shape)]);
    const rows = (await run(heatmaps)) as Float32Array;
    await run.dispose();
    const { keypoints, score } = decodeHeatmaps(heatmaps, [8, 6]);
    for (let m = 0; m < 6; m++) {
      expect(rows[3 * m]).toBeCloseTo(keypoints[2 * m]! / 8, 5);
      expect(rows[3 * m + 1]).toBeCloseTo(keypoints[2 * m + 1]! / 6, 5);
      expect(rows[3 * m + 2]).toBeCloseTo(score[m]!, 6);
    }
  });

  it("the flip test is that outside of it", async () => {
    const [straight, turned] = [random("straight"), random("turned")];
    const flipPairs = [[0, 2]] as const;
    const run = await compile((a, b) => averageFlippedInGraph(a, b, flipPairs), [spec(shape), spec(shape)]);
    const found = (await run(straight, turned)) as Float32Array;
    await run.dispose();
    const expected = averageFlipped(straight, turned, { keypoints: 3, size: [8, 6] }, { flipPairs });
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
  });

  it("images are mirrored", async () => {
    const run = await compile(mirrored, [spec([1, 1, 1, 3])]);
    expect([...((await run(Float32Array.of(1, 2, 3))) as Float32Array)]).toEqual([3, 2, 1]);
    await run.dispose();
  });
});
