import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openImageFolder, readImageFolder, streamImageFolder } from "../../src/data/image-folder.js";
import { readPixels } from "../../src/data/index.js";
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

  it("holds out a tenth of each class where no test folder is, and says so", async () => {
    for (let i = 0; i < 20; i++) await paint(`train/a/${String(i).padStart(2, "0")}.png`, i, 0, 0);
    for (let i = 0; i < 3; i++) await paint(`train/b/${i}.png`, 0, i, 0);
    await paint("train/c/1.png", 0, 0, 0);
    const { train, test, notices } = await readImageFolder(folder, { size: 1 });
    expect(train.length).toBe(21);
    expect([test.images[0], test.images[3]]).toEqual([0, 10]);
    expect([...test.labels]).toEqual([0, 0, 1]);
    expect(notices).toContain(
      "no test folder: 3 of 24 images, a tenth of each class, are held out as the test set",
    );
    expect(notices).toContain("no test images of c: one image is too few to hold one out");
  });

  it("reads class folders without train/ around them, and folders within a class", async () => {
    for (const name of ["cat/1.png", "cat/2.png", "dog/1.png", "dog/more/2.png"]) await paint(name, 1, 2, 3);
    const { train, test } = await readImageFolder(folder, { size: 2 });
    expect(train.classes).toEqual(["cat", "dog"]);
    expect([...train.labels, ...test.labels]).toEqual([0, 1, 0, 1]);
  });

  it("says what it skips and does not read", async () => {
    for (const name of ["train/a/1.png", "test/a/1.png", "val/a/1.png"]) await paint(name, 0, 0, 0);
    for (const name of ["train/a/2.bmp", "train/a/3.BMP", "train/a/notes", "readme.txt"]) {
      await store(name, Buffer.from("BM"));
    }
    const { notices } = await readImageFolder(folder, { size: 2 });
    expect(notices).toContain("not read: val/");
    expect(notices?.join()).toContain("4 files are skipped (1 × .txt, 2 × .bmp, 1 × no extension)");
  });

  it("stretches images that are not square, or crops them about their middle, and says which", async () => {
    const pixels = Buffer.alloc(6 * 2 * 3);
    for (let x = 0; x < 6; x++) {
      for (let y = 0; y < 2; y++) pixels[(y * 6 + x) * 3] = x < 2 || x >= 4 ? 200 : 100;
    }
    const content = await sharp(pixels, { raw: { width: 6, height: 2, channels: 3 } })
      .png()
      .toBuffer();
    await store("train/a/1.png", content);
    await store("test/a/1.png", content);
    const stretched = await readImageFolder(folder, { size: 2 });
    const cropped = await readImageFolder(folder, { size: 2, fit: "crop" });
    expect([...cropped.train.images.subarray(0, 4)]).toEqual([100, 100, 100, 100]);
    expect(stretched.train.images[0]).toBeGreaterThan(150);
    expect(stretched.notices?.at(-1)).toBe(
      "images are resized to 2×2 pixels; 2 of 2 are not square and are stretched",
    );
    expect(cropped.notices?.at(-1)).toContain("cropped to their centre");
    expect(cropped.fingerprint).not.toBe(stretched.fingerprint);
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
    await store("test/a/empty.webp", Buffer.alloc(0));
    const { message } = await refusal();
    expect(message).toMatch(/^2 of 4 images cannot be read:\n/);
    expect(message).toContain("empty.webp: the image cannot be read (the file is empty)");
  });

  it.each([
    ["SVG", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
    ["GIF", "R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="],
  ])("goes by the content, not the name: refuses %s named .png", async (_, content) => {
    await paint("test/a/1.png", 0, 0, 0);
    await store(
      "train/a/1.png",
      content.startsWith("<") ? Buffer.from(content) : Buffer.from(content, "base64"),
    );
    expect((await refusal()).message).toContain("its content is none of PNG, JPEG, WebP");
  });

  it("takes a JPEG named .png", async () => {
    const create = { width: 4, height: 4, channels: 3 as const, background: "white" };
    const jpeg = await sharp({ create }).jpeg().toBuffer();
    await store("train/a/1.png", jpeg);
    await store("test/a/1.png", jpeg);
    expect((await readImageFolder(folder, { size: 1 })).train.images[0]).toBe(255);
  });

  it("does not wait for a pipe, nor read a device to its end", async () => {
    await paint("test/a/1.png", 0, 0, 0);
    await mkdir(join(folder, "train/a"), { recursive: true });
    await symlink("/dev/zero", join(folder, "train/a/endless.png"));
    expect((await refusal()).message).toMatch(/endless\.png: not a regular file/);
    await rm(join(folder, "train/a/endless.png"));
    execFileSync("mkfifo", [join(folder, "train/a/pipe.png")]);
    expect((await refusal()).message).toMatch(/pipe\.png: not a regular file/);
  });

  it("refuses images of more pixels than are decoded", async () => {
    const create = { width: 20_000, height: 10_000, channels: 3 as const, background: "white" };
    await store("train/a/1.png", await sharp({ create, limitInputPixels: false }).png().toBuffer());
    await paint("test/a/1.png", 0, 0, 0);
    expect((await refusal()).message).toContain("20000×10000 pixels, more than the 178956970");
  });

  it("refuses a class whose name is not UTF-8, which would vanish", async () => {
    await paint("train/a/1.png", 0, 0, 0);
    await mkdir(Buffer.concat([Buffer.from(join(folder, "train/caf")), Buffer.of(0xe9)]));
    expect((await refusal()).message).toContain('the name "caf\\xe9" is not UTF-8');
  });

  it("refuses more images than the machine has memory for", async () => {
    await paint("train/a/1.png", 0, 0, 0);
    await paint("test/a/1.png", 0, 0, 0);
    const error: unknown = await readImageFolder(folder, { size: 1_000_000 }).catch(
      (cause: unknown) => cause,
    );
    expect((error as DataError).message).toMatch(
      /2 images of 1000000×1000000 pixels take 6,000 GB, and the machine has /,
    );
  });

  it("ends where a link leads back to a folder above it", async () => {
    await paint("train/a/1.png", 0, 0, 0);
    await symlink("..", join(folder, "train/a/up"));
    expect((await refusal()).message).toContain("more than 32 folders within each other");
  });

  it("refuses a test class that train does not have", async () => {
    await paint("train/a/1.png", 0, 0, 0);
    await paint("test/b/1.png", 0, 0, 0);
    expect((await refusal()).message).toMatch(/a class that the training images do not have/);
  });

  it("refuses a folder without train, without classes or without images", async () => {
    expect((await refusal()).message).toMatch(/no class folders/);
    await paint("1.png", 0, 0, 0);
    expect((await refusal()).message).toMatch(/1 images lie beside each other/);
    await mkdir(join(folder, "train"));
    expect((await refusal()).message).toMatch(/no class folders/);
    await mkdir(join(folder, "train/a"));
    expect((await refusal()).message).toMatch(/train\/a: no images in this class folder/);
  });

  it("streams the same pixels from disk as it reads into memory", async () => {
    for (let i = 0; i < 6; i++)
      await paint(`train/${i % 2 ? "cat" : "dog"}/${i}.png`, 40 * i, 10, 200 - 20 * i);
    await paint("test/dog/1.png", 9, 8, 7);
    await paint("test/cat/1.png", 9, 8, 7);
    const [held, streamed] = [
      await readImageFolder(folder, { size: 4 }),
      await streamImageFolder(folder, { size: 4 }),
    ];
    expect(streamed.fingerprint).toBe(held.fingerprint);
    const indices = Uint32Array.of(5, 0, 3);
    const [fromMemory, fromDisk] = [new Uint8Array(3 * 48), new Uint8Array(3 * 48)];
    await readPixels(held.train, indices, fromMemory);
    await readPixels(streamed.train, indices, fromDisk);
    expect(fromDisk).toEqual(fromMemory);
  });

  it("streams what would use more than half of the memory, and refuses to hold what exceeds it", async () => {
    for (const name of ["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"])
      await paint(name, 1, 2, 3);
    const bytes = 4 * 3 * 4 * 4;
    const memory = vi.spyOn(process, "constrainedMemory");
    const opened = async (granted: number) => {
      memory.mockReturnValue(granted);
      const { train, test } = await openImageFolder(folder, { size: 4 });
      return [train.images, test.images].map((images) => images instanceof Uint8Array);
    };
    try {
      expect(await opened(2 * bytes)).toEqual([true, true]);
      expect(await opened(2 * bytes - 1)).toEqual([false, false]);
      memory.mockReturnValue(bytes);
      await expect(readImageFolder(folder, { size: 4 })).rejects.toMatchObject({
        message: expect.stringContaining("4 images of 4×4 pixels take"),
        hint: expect.stringContaining("Stream them"),
      });
    } finally {
      memory.mockRestore();
    }
  });

  it("names a file that is gone when its batch comes", async () => {
    for (const name of ["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"])
      await paint(name, 1, 2, 3);
    const { train } = await streamImageFolder(folder, { size: 4 });
    await rm(join(folder, "train/b/1.png"));
    await expect(readPixels(train, Uint32Array.of(0, 1), new Uint8Array(96))).rejects.toThrow(
      /b.1\.png: .*no such file/,
    );
  });
});
