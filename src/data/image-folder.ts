/** A folder of images, one subfolder a class, as torchvision's `ImageFolder` reads it. */

import { createHash } from "node:crypto";
import { basename, resolve } from "node:path";
import { DataError } from "../errors/index.js";
import type { DatasetPair, ImageDataset } from "./dataset.js";
import { type DecodedImage, decodeImage, type ImageShape } from "./decode-image.js";
import { findLayout, type ImageFile, LAYOUT_HINT } from "./folder-layout.js";
import { gigabytes, machineMemory } from "./machine-memory.js";
import { mapBounded } from "./map-bounded.js";

/** How images are stored. */
export interface ImageFolderOptions extends ImageShape {}

/** Unreadable images that are named; of more, the number is given. */
const NAMED = 5;

/**
 * Reads an image folder into memory, resized to squares. Classes are the sorted subfolders of `train/`, or of
 * the folder itself where there is no `train/`; images in folders within a class belong to it.
 *
 * The test images come from `test/`, else from `val/`. Where neither is there, a tenth of each class is held out.
 * `notices` of the result say what was held out, skipped and resized.
 *
 * @throws DataError if a class has no image, an image cannot be read, or all together do not fit into memory
 */
export async function readImageFolder(path: string, shape: ImageFolderOptions): Promise<DatasetPair> {
  const { classes, train, test, notices } = await findLayout(path);
  if (train.length === 0 || test.length === 0) {
    throw new DataError(`${path}: ${train.length} training and ${test.length} test images are too few`, {
      hint: LAYOUT_HINT,
    });
  }
  checkMemory(path, train.length + test.length, shape.size);
  const files = [...train, ...test];
  const images = new Uint8Array(files.length * 3 * shape.size ** 2);
  const decoded = await decodeAll(files, shape, images);

  const name = basename(resolve(path));
  const part = (which: string, start: number, members: readonly ImageFile[]): ImageDataset => ({
    name: `${name} ${which}`,
    classes,
    length: members.length,
    height: shape.size,
    width: shape.size,
    images: images.subarray(start * 3 * shape.size ** 2, (start + members.length) * 3 * shape.size ** 2),
    labels: Int32Array.from(members, ({ label }) => label),
  });
  return {
    name,
    train: part("train", 0, train),
    test: part("test", train.length, test),
    fingerprint: fingerprint(shape, train, test, decoded),
    notices: [...notices, resizedNotice(shape, decoded)],
  };
}

function checkMemory(path: string, count: number, size: number): void {
  const bytes = count * 3 * size ** 2;
  const available = machineMemory();
  if (bytes < available) return;
  throw new DataError(
    `${path}: ${count} images of ${size}×${size} pixels take ${gigabytes(bytes)}, and the machine has ${gigabytes(available)}`,
    { hint: "Train on fewer images, or on smaller ones." },
  );
}

async function decodeAll(
  files: readonly ImageFile[],
  shape: ImageShape,
  images: Uint8Array,
): Promise<readonly DecodedImage[]> {
  const failures: DataError[] = [];
  const decoded = await mapBounded(files, ({ path }, i) =>
    decodeImage(path, shape, images, i).catch((error: unknown) => {
      if (!(error instanceof DataError)) throw error;
      failures.push(error);
      return undefined;
    }),
  );
  const [first, ...others] = failures;
  if (first === undefined) return decoded as DecodedImage[];
  if (others.length === 0) throw first;
  const lines = failures.slice(0, NAMED).map(({ message }) => `  ${message}`);
  if (failures.length > NAMED) lines.push(`  and ${failures.length - NAMED} more`);
  throw new DataError(`${failures.length} of ${files.length} images cannot be read:\n${lines.join("\n")}`, {
    hint: "Replace these files, or leave them out.",
  });
}

function fingerprint(
  { size, fit = "stretch" }: ImageShape,
  train: readonly ImageFile[],
  test: readonly ImageFile[],
  decoded: readonly DecodedImage[],
): string {
  const hash = createHash("sha256").update(fit === "stretch" ? `${size}\n` : `${size} ${fit}\n`);
  [...train, ...test].forEach(({ key }, i) => {
    const part = i < train.length ? "train" : "test";
    hash.update(`${part}/${key} ${decoded[i]!.digest}\n`);
  });
  return hash.digest("hex");
}

function resizedNotice({ size, fit = "stretch" }: ImageShape, decoded: readonly DecodedImage[]): string {
  const oblong = decoded.filter((image) => image.oblong).length;
  const all = `images are resized to ${size}×${size} pixels`;
  if (oblong === 0) return all;
  const what = fit === "stretch" ? "stretched" : "cropped about their middle";
  return `${all}; ${oblong} of ${decoded.length} are not square and are ${what}`;
}
