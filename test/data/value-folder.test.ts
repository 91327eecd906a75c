import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { beforeEach, describe, expect, it } from "vitest";
import {
  allIndices,
  BatchLoader,
  generatePositions,
  openData,
  pointInView,
  type TargetDataset,
} from "../../src/data/index.js";
import { temporaryFolder } from "../files/folder.js";

let folder = "";

beforeEach(async () => {
  folder = await temporaryFolder();
});

async function store(name: string, content: string): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), content);
}

async function paint(name: string): Promise<void> {
  await store(name, "");
  await sharp({ create: { width: 4, height: 4, channels: 3, background: "red" } })
    .png()
    .toFile(join(folder, name));
}

/** Lines of `metadata.jsonl`, and their images. */
async function describeImages(place: string, rows: readonly object[]): Promise<void> {
  const lines = rows.map((row, i) => JSON.stringify({ file_name: `${i}.png`, ...row }));
  await store(join(place, "metadata.jsonl"), `${lines.join("\n")}\n`);
  for (const i of rows.keys()) await paint(join(place, `${i}.png`));
}

const POINT = { "eye.x": 0.25, "eye.y": 0.5, age: 3 };

describe("a folder of images with values", () => {
  it("is data for a regression, a training and a test part", async () => {
    await describeImages("train", [POINT, { ...POINT, age: 4 }, POINT]);
    await describeImages("test", [POINT, POINT]);
    const { train, test } = await openData(folder, { imageSize: 4 });
    expect([(train as TargetDataset).task, train.classes]).toEqual(["regression", ["eye.x", "eye.y", "age"]]);
    const loader = new BatchLoader(train, {
      ...{ indices: allIndices(3), batchSize: 3, seed: 0, imageSize: 4 },
      ...{ augmentation: "none", shuffle: false },
    });
    expect([...((await loader.batch(0, 0)).targets.values as Float32Array)]).toEqual([
      ...[0.25, 0.5, 3],
      ...[0.25, 0.5, 4],
      ...[0.25, 0.5, 3],
    ]);
    expect(test).toHaveLength(2);
  });

  it("holds out a tenth where it has one list, with or without a byte order mark", async () => {
    await describeImages(
      ".",
      Array.from({ length: 20 }, () => POINT),
    );
    const list = join(folder, "metadata.jsonl");
    await writeFile(list, `\uFEFF${await readFile(list, "utf8")}`);
    const { train, test, notices } = await openData(folder, { imageSize: 4 });
    expect([train.length, test.length]).toEqual([18, 2]);
    expect(notices).toContain("2 of 20 images are held out as the test set, evenly spaced");
  });

  it.each([
    ["not JSON", ["{"], "line 1"],
    ["no name", ['{"a": 1}'], "file_name"],
    ["a text as a value", ['{"file_name": "0.png", "a": "b"}'], "expected number"],
    ["a value that float32 does not hold", ['{"file_name": "0.png", "a": 1e39}'], "more than float32 holds"],
    ["a path out of the folder", ['{"file_name": "../0.png", "a": 1}'], "leads out of the folder"],
    [
      "other values later",
      ['{"file_name": "0.png", "a": 1}', '{"file_name": "1.png", "b": 1}'],
      "line 2: the values are b",
    ],
    ["one image", ['{"file_name": "0.png", "a": 1}'], "too few"],
    ["no value", ['{"file_name": "0.png"}', '{"file_name": "1.png"}'], "at least one"],
    ["a missing image", ['{"file_name": "0.png", "a": 1}', '{"file_name": "gone.png", "a": 1}'], "gone.png"],
  ])("is refused with %s", async (_, lines, message) => {
    await paint("0.png");
    await paint("1.png");
    await store("metadata.jsonl", lines.join("\n"));
    const error = await openData(folder, { imageSize: 4 }).catch((cause: Error & { hint?: string }) => cause);
    expect(error).toMatchObject({ name: "DataError" });
    expect(`${(error as Error).message} ${(error as { hint?: string }).hint}`).toContain(message);
  });
});

describe("points", () => {
  it("move along when the image is cropped and mirrored", () => {
    const view = { left: 0.5, top: 0.25, width: 0.5, height: 0.5, flip: false };
    expect(pointInView(view, [0.75, 0.25])).toEqual([0.5, 0]);
    expect(pointInView({ ...view, flip: true }, [0.625, 0.5])).toEqual([0.75, 0.5]);
  });

  it("stay on what they mark in every augmented image", async () => {
    const size = 48;
    const { train } = generatePositions({ train: 24, test: 1, size });
    // A dark image with one bright pixel stands in for each shape.
    const images = new Uint8Array(24 * 3 * size * size);
    const centres = Array.from({ length: 24 }, (_, i) => [10 + i, 40 - i] as const);
    for (const [i, [x, y]] of centres.entries()) {
      for (let channel = 0; channel < 3; channel++) images[((i * 3 + channel) * size + y) * size + x] = 255;
    }
    const marked: TargetDataset = {
      ...train,
      images,
      targets: {
        specs: train.targets.specs,
        write: (index, view, { values }, position) => {
          const [x, y] = centres[index]!;
          (values as Float32Array).set(pointInView(view, [(x + 0.5) / size, (y + 0.5) / size]), 2 * position);
        },
      },
    };
    const loader = new BatchLoader(marked, {
      ...{ indices: allIndices(24), batchSize: 24, seed: 3, imageSize: size, shuffle: false },
      augmentation: { scale: [0.4, 1] },
    });
    const { rows, columns, targets } = await loader.batch(0, 0);
    const values = targets.values as Float32Array;
    let inside = 0;
    for (const [i, [x, y]] of centres.entries()) {
      const [seenX, seenY] = [values[2 * i]!, values[2 * i + 1]!];
      if (Math.min(seenX, seenY) < 0.05 || Math.max(seenX, seenY) > 0.95) continue;
      inside++;
      // The bright pixel's weight, by line and by column, has its centre of mass where the point is.
      expect(centreOf(columns, i, size, x)).toBeCloseTo(seenX, 1);
      expect(centreOf(rows, i, size, y)).toBeCloseTo(seenY, 1);
    }
    expect(inside).toBeGreaterThan(8);
  });
});

/** Centre of mass of one stored line's weight along the augmented image, in parts of it. */
function centreOf(matrices: Float32Array, image: number, size: number, line: number): number {
  let [sum, moment] = [0, 0];
  for (let to = 0; to < size; to++) {
    const weight = matrices[(image * size + to) * size + line]!;
    sum += weight;
    moment += weight * (to + 0.5);
  }
  return moment / sum / size;
}
