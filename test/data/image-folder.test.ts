import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readImageFolder } from "../../src/data/image-folder.js";
import { DataError } from "../../src/errors/index.js";

describe("readImageFolder", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dyconv-folder-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function store(name: string, content: Uint8Array): Promise<void> {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }

  async function paint(name: string, r: number, g: number, b: number): Promise<void> {
    const background = { r, g, b, alpha: 1 };
    const image = sharp({ create: { width: 6, height: 9, channels: 4, background } });
    await store(name, await (name.endsWith("png") ? image.png() : image.webp({ lossless: true })).toBuffer());
  }

  it("reads classes in order, images as planes, and the test folder", async () => {
    await paint("train/dog/1.png", 10, 20, 30);
    await paint("train/cat/1.webp", 40, 50, 60);
    await store("train/cat/notes.txt", Buffer.from("no image"));
    await paint("val/dog/1.png", 1, 2, 3);
    const { train, test, fingerprint } = await readImageFolder(folder, { size: 2 });
    expect(train).toMatchObject({ classes: ["cat", "dog"], length: 2, height: 2, width: 2 });
    expect([...train.labels]).toEqual([0, 1]);
    expect([...train.images]).toEqual([40, 50, 60, 10, 20, 30].flatMap((v) => [v, v, v, v]));
    expect([...test.labels]).toEqual([1]);
    expect([...test.images]).toEqual([1, 2, 3].flatMap((v) => [v, v, v, v]));
    expect((await readImageFolder(folder, { size: 2 })).fingerprint).toBe(fingerprint);
    expect((await readImageFolder(folder, { size: 3 })).fingerprint).not.toBe(fingerprint);
  });

  it("reads grey images as three equal planes", async () => {
    const grey = sharp(Buffer.alloc(16, 77), { raw: { width: 4, height: 4, channels: 1 } });
    const content = await grey.toColourspace("b-w").png().toBuffer();
    await store("train/a/1.png", content);
    await store("test/a/1.png", content);
    const { train } = await readImageFolder(folder, { size: 4 });
    expect(new Set(train.images)).toEqual(new Set([77]));
  });

  it("holds out every tenth image where no test folder is", async () => {
    for (let i = 0; i < 20; i++) await paint(`train/a/${String(i).padStart(2, "0")}.png`, i, 0, 0);
    const { train, test } = await readImageFolder(folder, { size: 1 });
    expect(train.length).toBe(18);
    expect([test.images[0], test.images[3]]).toEqual([0, 10]);
  });

  async function refusal(): Promise<DataError> {
    const error: unknown = await readImageFolder(folder, { size: 2 }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).hint).toBeTruthy();
    return error as DataError;
  }

  it("names an image that cannot be read", async () => {
    await paint("train/a/1.png", 0, 0, 0);
    await store("train/a/broken.jpg", Buffer.from("no jpeg"));
    await paint("test/a/1.png", 0, 0, 0);
    expect((await refusal()).message).toContain(join(folder, "train/a/broken.jpg"));
  });

  it("refuses a test class that train does not have", async () => {
    await paint("train/a/1.png", 0, 0, 0);
    await paint("test/b/1.png", 0, 0, 0);
    expect((await refusal()).message).toMatch(/a class that train\/ does not have/);
  });

  it("refuses a folder without train, without classes or without images", async () => {
    expect((await refusal()).message).toMatch(/no such folder/);
    await mkdir(join(folder, "train"));
    expect((await refusal()).message).toMatch(/no class folders/);
    await mkdir(join(folder, "train/a"));
    expect((await refusal()).message).toMatch(/too few/);
  });
});
