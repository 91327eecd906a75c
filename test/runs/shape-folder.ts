import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { generateShapes, type MemoryDataset } from "../../src/data/index.js";

/** Writes generated shapes as an image folder: far fewer test images than the data set `shapes` has. */
export async function writeShapeFolder(
  folder: string,
  sizes: { readonly train: number; readonly test: number },
): Promise<string> {
  const parts = generateShapes(sizes);
  for (const part of ["train", "test"] as const) {
    for (let index = 0; index < parts[part].length; index++)
      await writeImage(join(folder, part), parts[part], index);
  }
  return folder;
}

async function writeImage(folder: string, dataset: MemoryDataset, index: number): Promise<void> {
  const { images, labels, classes, height, width } = dataset;
  const area = height * width;
  const planes = images.subarray(3 * area * index, 3 * area * (index + 1));
  const pixels = Uint8Array.from({ length: 3 * area }, (_, i) => planes[(i % 3) * area + Math.floor(i / 3)]!);
  const path = join(folder, classes[labels[index]!]!);
  await mkdir(path, { recursive: true });
  await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(join(path, `${index}.png`));
}
