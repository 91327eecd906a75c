import { expect, it } from "vitest";
import { generateShapes } from "../../src/data/index.js";
import { parseTrainConfig } from "../../src/runs/config.js";
import { openLoaders } from "../../src/train/loaders.js";

const SIZE = 32;
const data = generateShapes({ train: 20, test: 1, size: SIZE });

/** Height of the lowest crop of a batch, as a part of the image: how many of its lines have any weight. */
async function lowestCrop(values: { readonly cropScale?: number } = {}): Promise<number> {
  const config = parseTrainConfig({ model: "alexnet", batchSize: data.train.length, ...values });
  const { rows } = await openLoaders(config, data, SIZE).train.batch(0, 0);
  const heights = Array.from({ length: data.train.length }, (_, image) => {
    const weights = rows.subarray(image * SIZE * SIZE, (image + 1) * SIZE * SIZE);
    return new Set([...weights.keys()].filter((at) => weights[at] !== 0).map((at) => at % SIZE)).size;
  });
  return Math.min(...heights) / SIZE;
}

it("crops as small as published, or no smaller than a configuration allows", async () => {
  expect(await lowestCrop()).toBeLessThan(0.5);
  // A crop of nine tenths, a third wider than high, is 0.82 high.
  expect(await lowestCrop({ cropScale: 0.9 })).toBeGreaterThan(0.8);
});
