import { DataError } from "../errors/index.js";
import { decodeImage } from "./decode-image.js";
import type { ImageShape } from "./image-shape.js";
import { mapBounded } from "./map-bounded.js";

/** Options of {@link readImages}. */
export interface ReadImagesOptions extends ImageShape {
  /** Called for each file that cannot be read, which is then skipped. By default, the first one throws. */
  readonly onUnreadable?: ((error: DataError) => void) | undefined;
}

/** Decoded image files. */
export interface ReadImages {
  /** Pixels 0 … 255, as red, green and blue planes: [paths, 3, size, size]. */
  readonly images: Uint8Array;
  /** The files that were read, in the given order. */
  readonly paths: readonly string[];
}

/**
 * Decodes image files (PNG, JPEG, WebP) of any size, resized to squares.
 *
 * @throws DataError naming an image that cannot be read, unless `onUnreadable` is given
 */
export async function readImages(
  paths: readonly string[],
  { onUnreadable, ...shape }: ReadImagesOptions,
): Promise<ReadImages> {
  const bytes = 3 * shape.size ** 2;
  const images = new Uint8Array(paths.length * bytes);
  const failures = await mapBounded(paths, async (path, i) => {
    try {
      await decodeImage(path, shape, images, i);
      return undefined;
    } catch (error) {
      if (onUnreadable === undefined || !(error instanceof DataError)) throw error;
      return error;
    }
  });
  const read = paths.flatMap((_, i) => (failures[i] === undefined ? [i] : []));
  for (const failure of failures) if (failure !== undefined) onUnreadable?.(failure);
  read.forEach((from, to) => {
    images.copyWithin(to * bytes, from * bytes, (from + 1) * bytes);
  });
  return { images: images.subarray(0, read.length * bytes), paths: read.map((i) => paths[i]!) };
}
