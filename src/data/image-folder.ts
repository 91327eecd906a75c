/** A folder of images with one subfolder per class, as torchvision's `ImageFolder` reads it. */

import { basename, resolve } from "node:path";
import { DataError } from "../errors/index.js";
import type { DatasetPair, ImageDataset, ImageSource, Images, MemoryDataset } from "./dataset.js";

import { type FolderLayout, findLayout, type ImageFile, LAYOUT_HINT } from "./folder-layout.js";
import { isLarge, type OpenedPixels, pixelsInMemory, pixelsOnDisk } from "./image-files.js";
import type { ImageShape } from "./image-shape.js";

/** Size and fit of the stored images. */
export interface ImageFolderOptions extends ImageShape {}

/**
 * Reads an image folder into memory, resized to squares. Classes are the sorted subfolders of `train/`, or of
 * the folder itself if there is no `train/`. Images in nested folders belong to the class above.
 *
 * Test images come from `test/`, otherwise from `val/`. If neither exists, a tenth of each class is held out.
 * The result's `notices` tell what was held out, skipped and resized.
 *
 * @throws DataError if a class has no image, an image cannot be read, or the images do not fit into memory
 */
export async function readImageFolder(
  path: string,
  shape: ImageFolderOptions,
): Promise<DatasetPair<MemoryDataset>> {
  const layout = await folderLayout(path);
  return pairOf(path, shape, layout, await pixelsInMemory(layout, shape));
}

/**
 * Like {@link readImageFolder}, but images stay on disk and are decoded when a batch needs them, for data
 * sets larger than memory. Every file is checked once at the start. Pixels and fingerprint are the same.
 *
 * @throws DataError if a class has no image, or an image cannot be read
 */
export async function streamImageFolder(
  path: string,
  shape: ImageFolderOptions,
): Promise<DatasetPair<ImageDataset & { readonly images: ImageSource }>> {
  const layout = await folderLayout(path);
  return pairOf(path, shape, layout, await pixelsOnDisk(layout, shape));
}

/** Reads an image folder into memory, or streams it if it would use more than half of the memory. */
export async function openImageFolder(
  path: string,
  shape: ImageFolderOptions,
): Promise<DatasetPair<ImageDataset>> {
  const open = isLarge(await folderLayout(path), shape) ? streamImageFolder : readImageFolder;
  return open(path, shape);
}

async function folderLayout(path: string): Promise<FolderLayout> {
  const layout = await findLayout(path);
  const { train, test } = layout;
  if (train.length > 0 && test.length > 0) return layout;
  throw new DataError(`${path}: ${train.length} training and ${test.length} test images are too few`, {
    hint: LAYOUT_HINT,
  });
}

function pairOf<Pixels extends Images["images"]>(
  path: string,
  { size }: ImageShape,
  { classes, train, test, notices }: FolderLayout,
  pixels: OpenedPixels<Pixels>,
): DatasetPair<ImageDataset & { readonly images: Pixels }> {
  const name = basename(resolve(path));
  const part = (which: "train" | "test", members: readonly ImageFile[]) => ({
    name: `${name} ${which}`,
    classes,
    length: members.length,
    ...{ height: size, width: size },
    images: pixels[which],
    labels: Int32Array.from(members, ({ label }) => label),
  });
  return {
    name,
    train: part("train", train),
    test: part("test", test),
    fingerprint: pixels.fingerprint,
    notices: [...notices, ...pixels.notices],
  };
}
