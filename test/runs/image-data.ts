import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";

/** How much of what is painted. */
interface ImageDataOptions {
  /** Names of classes that are colours; red and blue by default. */
  readonly classes?: readonly string[];
  /** Training images a class; 4 by default. */
  readonly train?: number;
}

/** Writes an image folder with one test image a class: noise on each class's colour. */
export async function writeImageData(
  folder: string,
  { classes = ["red", "blue"], train = 4 }: ImageDataOptions = {},
): Promise<string> {
  for (const colour of classes) {
    const background = sharp({ create: { width: 24, height: 24, channels: 3, background: colour } });
    for (let n = 0; n <= train; n++) {
      const path = join(folder, n === train ? "test" : "train", colour);
      await mkdir(path, { recursive: true });
      await background
        .clone()
        .blur(1 + n)
        .png()
        .toFile(join(path, `${n}.png`));
    }
  }
  return folder;
}
