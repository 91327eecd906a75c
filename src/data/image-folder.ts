/** A folder of images, one subfolder a class: `train/<class>/*.png` and `test/` or `val/` beside it. */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join, resolve } from "node:path";
import { DataError } from "../errors/index.js";
import type { DatasetPair, ImageDataset } from "./dataset.js";

/** How {@link readImageFolder} stores the images. */
export interface ImageFolderOptions {
  /** Height and width, in pixels, every image is resized to; its aspect ratio is not kept. */
  readonly size: number;
}

interface ImageFile {
  readonly path: string;
  /** Class and file name: what the fingerprint covers, so that a moved folder keeps it. */
  readonly key: string;
  readonly label: number;
}

const EXTENSION = /\.(png|jpe?g|webp)$/i;
const LAYOUT = "Lay the images out as train/<class>/*.png (or .jpg, .jpeg, .webp) and test/<class>/*.png.";

/**
 * Reads an image folder into memory, resized to squares; classes are the sorted subfolders of `train`.
 *
 * The test images come from `test/`, else from `val/`. Where neither is there, every tenth image of `train`,
 * counted from the first in the order of class and file name, is held out as the test set, so that each run
 * holds out the same ones.
 */
export async function readImageFolder(path: string, { size }: ImageFolderOptions): Promise<DatasetPair> {
  const classes = await subfolders(join(path, "train"));
  if (classes.length === 0) throw new DataError(`${path}: no class folders in train/`, { hint: LAYOUT });
  const { train, test } = await split(path, classes);
  if (train.length === 0 || test.length === 0) {
    throw new DataError(`${path}: ${train.length} training and ${test.length} test images are too few`, {
      hint: LAYOUT,
    });
  }
  const name = basename(resolve(path));
  const hash = createHash("sha256").update(`${size}\n`);
  const load = async (part: string, files: readonly ImageFile[]): Promise<ImageDataset> => {
    const images = new Uint8Array(files.length * 3 * size * size);
    const digests = await mapBounded(files, (file, i) => decode(file.path, size, images, i));
    files.forEach((file, i) => {
      hash.update(`${part}/${file.key} ${digests[i]}\n`);
    });
    const labels = Int32Array.from(files, (file) => file.label);
    return {
      name: `${name} ${part}`,
      classes,
      length: files.length,
      height: size,
      width: size,
      images,
      labels,
    };
  };
  const pair = { name, train: await load("train", train), test: await load("test", test) };
  return { ...pair, fingerprint: hash.digest("hex") };
}

async function split(
  path: string,
  classes: readonly string[],
): Promise<{ train: ImageFile[]; test: ImageFile[] }> {
  const train = await listImages(join(path, "train"), classes);
  for (const part of ["test", "val"]) {
    const folder = join(path, part);
    if (!(await isFolder(folder))) continue;
    const unknown = (await subfolders(folder)).find((name) => !classes.includes(name));
    if (unknown !== undefined) {
      throw new DataError(`${join(folder, unknown)}: a class that train/ does not have`, { hint: LAYOUT });
    }
    return { train, test: await listImages(folder, classes) };
  }
  return { train: train.filter((_, i) => i % 10 !== 0), test: train.filter((_, i) => i % 10 === 0) };
}

async function listImages(folder: string, classes: readonly string[]): Promise<ImageFile[]> {
  const lists = classes.map(async (name, label) => {
    const inside = join(folder, name);
    if (!(await isFolder(inside))) return [];
    const files = (await readdir(inside))
      .filter((file) => EXTENSION.test(file) && !file.startsWith("."))
      .sort();
    return files.map((file) => ({ path: join(inside, file), key: `${name}/${file}`, label }));
  });
  return (await Promise.all(lists)).flat();
}

async function subfolders(folder: string): Promise<string[]> {
  if (!(await isFolder(folder))) throw new DataError(`${folder}: no such folder`, { hint: LAYOUT });
  const names = (await readdir(folder)).filter((name) => !name.startsWith(".")).sort();
  const kept = await Promise.all(names.map((name) => isFolder(join(folder, name))));
  return names.filter((_, i) => kept[i]);
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/**
 * Decodes image files of any size to squares.
 *
 * @returns uint8 pixels [paths, 3, size, size]
 * @throws DataError naming the image that cannot be read
 */
export async function readImages(
  paths: readonly string[],
  { size }: ImageFolderOptions,
): Promise<Uint8Array> {
  const images = new Uint8Array(paths.length * 3 * size * size);
  await mapBounded(paths, (path, i) => decode(path, size, images, i));
  return images;
}

/** Decodes one image into its place, channel by channel, and gives back the digest of its file. */
async function decode(path: string, size: number, images: Uint8Array, index: number): Promise<string> {
  const { default: sharp } = await import("sharp");
  try {
    const content = await readFile(path);
    const { data, info } = await sharp(content)
      .autoOrient()
      .resize(size, size, { fit: "fill", kernel: "linear" })
      .removeAlpha()
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const area = size * size;
    for (let channel = 0; channel < 3; channel++) {
      const from = Math.min(channel, info.channels - 1);
      const to = (index * 3 + channel) * area;
      for (let i = 0; i < area; i++) images[to + i] = data[i * info.channels + from]!;
    }
    return createHash("sha256").update(content).digest("hex");
  } catch (cause) {
    throw new DataError(`${path}: the image cannot be read (${(cause as Error).message})`, {
      hint: existsSync(path) ? "Replace or delete this file." : "Check the path for a typing error.",
      cause,
    });
  }
}

async function mapBounded<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await work(item, index);
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  return results;
}
