import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allIndices, BatchLoader, openData, readCocoFolder, WHOLE_VIEW } from "../../src/data/index.js";
import { COCO_SKELETON } from "../../src/keypoints/index.js";

let folder = "";

const category = { id: 1, name: "person", keypoints: COCO_SKELETON.keypoints, skeleton: [[16, 14]] };
const [WIDTH, HEIGHT] = [120, 90];
/** A person about a red square of 12 pixels, which is its nose; nothing else is labelled. */
const person = (id: number, imageId: number, nose: readonly [number, number], more = {}) => ({
  ...{ id, image_id: imageId, category_id: 1, iscrowd: 0, num_keypoints: 1, area: 1600 },
  bbox: [nose[0] - 20, nose[1] - 20, 40, 40],
  keypoints: [...nose, 2, ...new Array(48).fill(0)],
  ...more,
});
const nothing = { num_keypoints: 0, keypoints: new Array(51).fill(0) };

function file(part: string, annotations: readonly object[], more: object = {}): void {
  const images = [1, 2].map((id) => ({ id, file_name: `${id}.png`, width: WIDTH, height: HEIGHT }));
  const content = { images, annotations, categories: [category], ...more };
  writeFileSync(join(folder, "annotations", `person_keypoints_${part}2017.json`), JSON.stringify(content));
}

async function picture(part: string, id: number, [x, y]: readonly [number, number]): Promise<void> {
  const square = await sharp({ create: { width: 12, height: 12, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  const ground = { width: WIDTH, height: HEIGHT, channels: 3, background: "blue" } as const;
  await sharp({ create: ground })
    .composite([{ input: square, left: x - 6, top: y - 6 }])
    .png()
    .toFile(join(folder, `${part}2017`, `${id}.png`));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dyconv-coco-"));
  for (const name of ["annotations", "train2017", "val2017"]) mkdirSync(join(folder, name));
  for (const part of ["train", "val"]) {
    await picture(part, 1, [30, 40]);
    await picture(part, 2, [80, 50]);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const usual = () => [
  person(1, 1, [30, 40]),
  person(2, 2, [80, 50]),
  person(3, 2, [20, 20], { iscrowd: 1 }),
  person(4, 2, [20, 20], nothing),
];

describe("a folder in COCO's layout", () => {
  it("gives a crop about each person with keypoints; crowds and others are set apart", async () => {
    file("train", usual());
    file("val", usual());
    const { train, test, notices } = await readCocoFolder(folder, 64);
    expect([train.length, train.ignored.length, test.length]).toEqual([2, 2, 2]);
    expect(train.ignored.map(({ crowd }) => crowd)).toEqual([true, false]);
    expect(train.classes).toEqual(COCO_SKELETON.keypoints);
    expect(notices?.[0]).toMatch(/4 of 8 annotations are crowds or have no keypoint/);
    const images = new Uint8Array(2 * 3 * 4096);
    if (train.images instanceof Uint8Array) throw new Error("images are to be read from disk");
    await train.images.read(Uint32Array.of(0, 1), images);
    for (const start of [0, 3 * 4096]) {
      const middle = start + 32 * 64 + 32;
      expect([images[middle], images[middle + 2 * 4096]]).toEqual([255, 0]);
    }
    const into = { heatmaps: new Float32Array(17 * 256), weight: new Float32Array(17) };
    train.targets.write(0, WHOLE_VIEW, into, 0);
    expect(into.heatmaps[8 * 16 + 8]).toBe(1);
    expect([...into.weight]).toEqual([1, ...new Array(16).fill(0)]);
  });

  it("is opened by its path, and its crops vary with their targets", async () => {
    file("train", usual());
    file("val", usual());
    const { train } = await openData(folder, { imageSize: 64 });
    const loader = new BatchLoader(train, { indices: allIndices(2), batchSize: 2, seed: 1, imageSize: 64 });
    for (let epoch = 0; epoch < 4; epoch++) {
      const { images, targets } = await loader.batch(epoch, 0);
      for (let i = 0; i < 2; i++) {
        const nose = (targets.heatmaps as Float32Array).subarray(17 * 256 * i, 17 * 256 * i + 256);
        const peak = nose.indexOf(Math.max(...nose));
        const at = 3 * 4096 * i + 4 * Math.floor(peak / 16) * 64 + 4 * (peak % 16);
        expect(images[at]).toBeGreaterThan(200);
        expect(images[at + 2 * 4096]).toBeLessThan(55);
      }
    }
  });

  /** Reads the crop about the first person, which `change` has made another image of. */
  async function firstCrop(change: (image: Sharp) => Sharp, size = { width: WIDTH, height: HEIGHT }) {
    const changed = await change(sharp(join(folder, "train2017", "1.png"))).toBuffer();
    writeFileSync(join(folder, "train2017", "changed"), changed);
    file("train", [person(1, 1, [30, 40])], { images: [{ id: 1, file_name: "changed", ...size }] });
    file("val", usual());
    const { images } = (await readCocoFolder(folder, 64)).train;
    if (images instanceof Uint8Array) throw new Error("images are to be read from disk");
    const pixels = new Uint8Array(3 * 4096);
    await images.read(Uint32Array.of(0), pixels);
    return [0, 1, 2].map((channel) => pixels[channel * 4096 + 32 * 64 + 32]!);
  }

  it.each<[string, (image: Sharp) => Sharp]>([
    ["grey JPEGs", (image) => image.greyscale().toColourspace("b-w").jpeg()],
    ["grey PNGs of 16 bits", (image) => image.greyscale().toColourspace("grey16").png()],
  ])("may have %s", async (_, change) => {
    const [red, green, blue] = await firstCrop(change);
    // The grey of red; that of blue is 29.
    expect(red).toBeGreaterThan(100);
    expect(red).toBeLessThan(150);
    expect([green, blue]).toEqual([red, red]);
  });

  it("has images as they were annotated: turned by their orientation, or as they are stored", async () => {
    const asStored = await firstCrop((image) => image.withMetadata({ orientation: 6 }).png());
    expect(asStored).toEqual([255, 0, 0]);
    const turned = await firstCrop((image) => image.rotate(-90).withMetadata({ orientation: 6 }).png());
    expect(turned).toEqual([255, 0, 0]);
  });

  it("refuses an image of another size than the annotated one, about which keypoints would be wrong", async () => {
    const smaller = firstCrop((image) => image.resize(60, 45).png());
    await expect(smaller).rejects.toThrow(
      /train2017.changed: the image cannot be read \(its size is 60×45, in the annotations 120×90\)/,
    );
  });

  it("has the keypoints of the first category that has some", async () => {
    const box = { id: 0, name: "people", supercategory: "none" };
    const { keypoints: _, ...boxOnly } = person(3, 1, [30, 40], { category_id: 0 });
    file("train", [boxOnly, ...usual()], { categories: [box, category] });
    file("val", usual());
    const { train } = await readCocoFolder(folder, 64);
    expect([train.length, train.ignored.length, train.classes.length]).toEqual([2, 2, 17]);
    file("train", usual(), { categories: [box] });
    await expect(readCocoFolder(folder, 64)).rejects.toThrow("no category has keypoints");
  });

  it("takes boxes that lead beyond the image, images without persons and masks of crowds", async () => {
    const mask = { segmentation: { counts: [272, 2, 4], size: [HEIGHT, WIDTH] }, iscrowd: 1 };
    const beyond = { bbox: [-50.5, -40.25, 300, 200] };
    const outside = { bbox: [130, 95, 20.5, 30] };
    file("train", [
      person(1, 1, [30, 40], beyond),
      person(2, 1, [110, 85], outside),
      person(900100000001, 1, [20, 20], { ...nothing, ...mask }),
    ]);
    file("val", usual());
    const { train } = await openData(folder, { imageSize: 64 });
    const loader = new BatchLoader(train, { indices: allIndices(2), batchSize: 2, seed: 1, imageSize: 64 });
    for (let epoch = 0; epoch < 3; epoch++) {
      const { targets } = await loader.batch(epoch, 0);
      expect([...(targets.heatmaps as Float32Array)].every(Number.isFinite)).toBe(true);
    }
  });

  it("with annotations other than keypoints is refused by their names", async () => {
    const other = mkdtempSync(join(tmpdir(), "dyconv-coco-"));
    for (const name of ["annotations", "train2017"]) mkdirSync(join(other, name));
    for (const part of ["train", "val"])
      writeFileSync(join(other, "annotations", `instances_${part}2017.json`), "{}");
    const refused = await openData(other).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      message: `${other}: annotations/ has no person_keypoints_train*.json`,
      hint: expect.stringContaining("It has instances_train2017.json and 1 more."),
    });
    rmSync(other, { recursive: true });
  });

  it("with an image that is none is refused when it is read", async () => {
    file("train", [person(1, 1, [30, 40])], { images: [{ id: 1, file_name: "1.svg", width: 9, height: 9 }] });
    file("val", usual());
    writeFileSync(join(folder, "train2017", "1.svg"), '<svg xmlns="http://www.w3.org/2000/svg"/>');
    const { images } = (await readCocoFolder(folder, 64)).train;
    if (images instanceof Uint8Array) throw new Error("images are to be read from disk");
    const read = async () => images.read(Uint32Array.of(0), new Uint8Array(3 * 4096));
    await expect(read()).rejects.toThrow("its content is none of PNG, JPEG, WebP");
  });

  it("that is damaged is refused, and the error says where", async () => {
    const refused = async (annotations: readonly object[], reason: RegExp, more = {}) => {
      file("train", annotations, more);
      await expect(readCocoFolder(folder, 64)).rejects.toThrow(reason);
    };
    file("val", usual());
    await refused([person(1, 1, [30, 40], { bbox: [1, 2, 3] })], /train2017\.json: annotations\.0\.bbox/);
    await refused([person(1, 9, [30, 40])], /annotations\[0\]: there is no image 9/);
    await refused([person(1, 1, [30, 40], { keypoints: [1, 2, 2] })], /3 numbers of keypoints, expected 51/);
    await refused([person(1, 1, [30, 40], nothing)], /no annotation has a labelled keypoint/);
    await refused(usual(), /leads out of the folder/, {
      images: [{ id: 1, file_name: "../1.png", width: 1, height: 1 }],
    });
    await refused(usual(), /the image 7\.png is missing/, {
      images: [1, 2].map((id) => ({ id, file_name: "7.png", width: 1, height: 1 })),
    });
    const image = { width: 1, height: 1 };
    await refused(usual(), /two images have the number 2/, {
      images: [1, 2, 2].map((id) => ({ id, file_name: `${id}.png`, ...image })),
    });
    await refused(usual(), /train2017: the image 7\.png is missing/, {
      images: [1, 2].map((id) => ({ id, file_name: id === 1 ? "1.png" : "7.png", ...image })),
    });
    await refused(usual(), /both files must|has the keypoints/, {
      categories: [{ ...category, keypoints: [...COCO_SKELETON.keypoints].reverse() }],
    });
    writeFileSync(join(folder, "annotations", "person_keypoints_train2017.json"), "{");
    await expect(readCocoFolder(folder, 64)).rejects.toThrow(/train2017\.json: .*JSON/);
    rmSync(join(folder, "annotations", "person_keypoints_val2017.json"));
    file("train", usual());
    await expect(readCocoFolder(folder, 64)).rejects.toThrow(/no annotations\/person_keypoints_val/);
  });
});
