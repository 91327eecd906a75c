import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { assertOutsideData, openData } from "../../src/data/open.js";
import { DataError, UsageError } from "../../src/errors/index.js";
import { cacheFolder } from "../../src/files/index.js";
import { writeImageData } from "../runs/image-data.js";

/** The binary format, one image a batch. */
async function tinyCifarArchive(): Promise<Uint8Array> {
  const names = [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`).concat("test_batch.bin");
  const members = [
    { header: { name: "batches.meta.txt", size: 4 }, body: "cat\n" },
    ...names.map((name) => ({ header: { name, size: 3073 }, body: new Uint8Array(3073) })),
  ];
  return gzipSync(await packTar(members));
}

describe("openData", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dyconv-open-"));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  it("stores an image folder two pixels larger than the crops", async () => {
    const create = { width: 4, height: 4, channels: 3 as const, background: "red" };
    const image = await sharp({ create }).png().toBuffer();
    for (const part of ["train", "test"]) {
      await mkdir(join(folder, part, "a"), { recursive: true });
      await writeFile(join(folder, part, "a", "1.png"), image);
    }
    expect((await openData(folder, { imageSize: 8 })).train).toMatchObject({
      length: 1,
      height: 10,
      width: 10,
    });
  });

  it("has no results among its images, under any name of their folder", async () => {
    const images = await writeImageData(join(folder, "images"));
    await symlink(images, join(folder, "link"));
    for (const out of ["images", "images/runs/a", "images/train/red", "link/new", "runs/../images/a"]) {
      const refused = assertOutsideData(join(folder, out), images);
      await expect(refused).rejects.toThrow(/lies in .*images, whose files are read as data/);
      await expect(refused).rejects.toBeInstanceOf(UsageError);
    }
    await assertOutsideData(join(folder, "images-2", "run"), images);
    await assertOutsideData(folder, images);
    await assertOutsideData(join(folder, "run"), "shapes");
    // Only the archive in it is read.
    await writeFile(join(images, "cifar-10-binary.tar.gz"), "");
    await assertOutsideData(join(images, "run"), images);
  });

  it("takes a folder with an archive, and the archive, for CIFAR-10", async () => {
    const path = join(folder, "cifar-10-binary.tar.gz");
    await writeFile(path, "no gzip");
    await expect(openData(folder)).rejects.toThrow(path);
    await expect(openData(path)).rejects.toBeInstanceOf(DataError);
  });

  it("takes cifar10 from the cache before the network", async () => {
    const path = join(folder, "cifar-10-python.tar.gz");
    await writeFile(path, "no gzip");
    await expect(openData("cifar10", { cacheFolder: folder })).rejects.toThrow(`${path}: the archive cannot`);
  });

  it("refuses a cached archive that is not the published one", async () => {
    await writeFile(join(folder, "cifar-10-python.tar.gz"), await tinyCifarArchive());
    const error: unknown = await openData("cifar10", { cacheFolder: folder }).catch(
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toMatch(
      /md5 [0-9a-f]{32}, expected c58f30108f718f92721af3b95e74349a/,
    );
    expect((await openData(join(folder, "cifar-10-python.tar.gz"))).train.length).toBe(5);
  });

  it("says where to put cifar10 when there is no network", async () => {
    const error: unknown = await openData("cifar10", {
      cacheFolder: folder,
      url: "http://127.0.0.1:1/x",
    }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).hint).toContain(join(folder, "cifar-10-python.tar.gz"));
  });

  it("lists what works for anything else", async () => {
    for (const source of ["cifar11", folder]) {
      const error: unknown = await openData(source).catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(UsageError);
      expect((error as UsageError).hint).toMatch(/shapes, positions, figures, cifar10, .*train/);
    }
  });

  it("finds the cache folder by environment", () => {
    vi.stubEnv("DYCONV_CACHE", "");
    vi.stubEnv("XDG_CACHE_HOME", "/xdg");
    expect(cacheFolder()).toBe(join("/xdg", "dyconv"));
    vi.stubEnv("DYCONV_CACHE", "/own");
    expect(cacheFolder()).toBe("/own");
  });

  it("generates shapes", async () => {
    const { train, test } = await openData("shapes");
    expect(train.length).toBeGreaterThan(test.length);
  });
});
