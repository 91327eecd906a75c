import { DataError } from "../errors/index.js";
import type { Affine } from "../keypoints/index.js";
import { loadSharp } from "../util/sharp.js";
import { readImageContent, unreadable } from "./decode-image.js";

/** A rectangle of an image, in pixels. */
interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Width and height in pixels. */
export type PixelSize = readonly [width: number, height: number];

/**
 * Decodes the part of an image within bounds into planes of red, green and blue, scaled by a factor of at
 * most 1.
 *
 * @param annotated size of the image for which the bounds hold
 * @throws DataError naming the file, if it is not regular, no PNG, JPEG or WebP, damaged, too large or of another
 * size
 */
export async function decodeRegion(file: string, annotated: PixelSize, bounds: Bounds, scale: number) {
  try {
    const sharp = await loadSharp();
    const { content } = await readImageContent(file);
    const { width: stored, height: storedHigh, autoOrient } = await sharp(content).metadata();
    // As the camera was held, if that is how annotators saw it.
    const turned = isSize(annotated, autoOrient.width, autoOrient.height);
    if (!turned && !isSize(annotated, stored, storedHigh)) {
      const size = `${autoOrient.width}×${autoOrient.height}`;
      throw new DataError(`its size is ${size}, in the annotations ${annotated.join("×")}`, {
        hint: "Annotations are in pixels: use the images for which they were made.",
      });
    }
    const opened = turned ? sharp(content).autoOrient() : sharp(content);
    const [wide, high] = annotated;
    const left = Math.min(wide - 1, Math.max(0, Math.floor(bounds.left)));
    const top = Math.min(high - 1, Math.max(0, Math.floor(bounds.top)));
    const width = Math.min(wide - left, Math.max(1, Math.ceil(bounds.right) - left));
    const height = Math.min(high - top, Math.max(1, Math.ceil(bounds.bottom) - top));
    const [toWidth, toHeight] = [
      Math.max(1, Math.round(width * scale)),
      Math.max(1, Math.round(height * scale)),
    ];
    const { data } = await opened
      .extract({ left, top, width, height })
      .resize(toWidth, toHeight, { fit: "fill", kernel: "linear" })
      .toColourspace("srgb")
      .flatten({ background: "black" })
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const [sx, sy] = [toWidth / width, toHeight / height];
    // Pixel centres lie half a pixel from the corner at either scale.
    const fromImage: Affine = [sx, 0, (0.5 - left) * sx - 0.5, 0, sy, (0.5 - top) * sy - 0.5];
    return { pixels: planes(data, toWidth * toHeight), width: toWidth, height: toHeight, fromImage };
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

const isSize = ([width, height]: PixelSize, wide: number, high: number) => width === wide && height === high;

function planes(data: Uint8Array, count: number): Uint8Array {
  const channels = data.length / count;
  const out = new Uint8Array(3 * count);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) out[c * count + i] = data[i * channels + (channels < 3 ? 0 : c)]!;
  }
  return out;
}
