import type { RandomStream } from "../util/random.js";
import type { Size } from "./heatmaps.js";
import type { Box } from "./oks.js";

/** A point, in pixels. */
export type Point = readonly [x: number, y: number];

/** (x, y) → (a·x + b·y + c, d·x + e·y + f). */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** Placement of an object's crop in its image. */
export interface CropPlacement {
  /** Centre of the crop, in pixels of the image. */
  readonly centre: Point;
  /** Width and height of the crop, in pixels of the image. */
  readonly extent: Size;
  /** Clockwise rotation in degrees. Defaults to 0. */
  readonly rotation?: number;
  /** Whether it is flipped horizontally. Defaults to `false`. */
  readonly flip?: boolean;
}

/** Options of {@link cropAboutBox}. */
export interface BoxCropOptions {
  /** Width and height of the crop in its own pixels, which give the aspect ratio. */
  readonly size: Size;
  /** Enlargement of the box, once it has the crop's aspect ratio. Defaults to 1.25. */
  readonly padding?: number;
}

/** The crop around a box. The box is extended to the crop's aspect ratio, then enlarged by the padding. */
export function cropAboutBox(
  [x, y, width, height]: Box,
  { size, padding = 1.25 }: BoxCropOptions,
): CropPlacement {
  const aspect = size[0] / size[1];
  const wide = Math.max(width, height * aspect, 1);
  return { centre: [x + width / 2, y + height / 2], extent: [wide * padding, (wide / aspect) * padding] };
}

/** Augmentation of crops in training. */
export interface CropAugmentation {
  /** Standard deviation of the scale factor, which is clipped to 1 ± this value. Defaults to 0.3. */
  readonly scale?: number;
  /**
   * Standard deviation of the rotation in degrees, which is clipped to ± twice this value. Defaults to 40.
   */
  readonly rotation?: number;
  /** Probability of a rotation. Defaults to 0.6. */
  readonly rotated?: number;
  /** Probability of a horizontal flip. Defaults to 0.5. */
  readonly flip?: number;
}

/** Randomly varies a crop in scale, rotation and flip, as Xiao et al. (ECCV 2018) do. */
export function varyCrop(
  crop: CropPlacement,
  random: RandomStream,
  { scale = 0.3, rotation = 40, rotated = 0.6, flip = 0.5 }: CropAugmentation = {},
): CropPlacement {
  const clamped = (limit: number, value: number) => Math.min(limit, Math.max(-limit, value));
  const factor = 1 + clamped(scale, scale * random.normal());
  const turned = random.uniform() < rotated;
  const angle = clamped(2 * rotation, rotation * random.normal());
  return {
    centre: crop.centre,
    extent: [crop.extent[0] * factor, crop.extent[1] * factor],
    rotation: turned ? angle : 0,
    flip: random.uniform() < flip,
  };
}

/** The map from pixels of a crop to pixels of its image: scale, rotation and flip in one. */
export function cropToImage(
  { centre, extent, rotation = 0, flip = false }: CropPlacement,
  [width, height]: Size,
): Affine {
  const radians = (rotation * Math.PI) / 180;
  const [cos, sin] = [Math.cos(radians), Math.sin(radians)];
  const [sx, sy] = [extent[0] / width, extent[1] / height];
  const mirror = flip ? -1 : 1;
  const [a, b, d, e] = [mirror * sx * cos, -sy * sin, mirror * sx * sin, sy * cos];
  // In a mirrored crop, column 0 is where column width − 1 was.
  const [u, v] = [flip ? width / 2 - 1 : width / 2, height / 2];
  return [a, b, centre[0] - a * u - b * v, d, e, centre[1] - d * u - e * v];
}

/** Applies an affine map to a point. */
export function transformPoint([a, b, c, d, e, f]: Affine, [x, y]: Point): Point {
  return [a * x + b * y + c, d * x + e * y + f];
}

/** The inverse map. */
export function invertAffine([a, b, c, d, e, f]: Affine): Affine {
  const determinant = a * e - b * d;
  const [p, q, r, s] = [e / determinant, -b / determinant, -d / determinant, a / determinant];
  return [p, q, -(p * c + q * f), r, s, -(r * c + s * f)];
}

/** An image as red, green and blue planes. */
export interface PlanarImage {
  /** [3, height, width] */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Samples an image through an affine map, bilinearly. Black outside the image.
 *
 * @param toImage maps pixels of the result to pixels of the image
 * @param into [any, 3, height, width], in which the image at `position` is written
 */
export function warpImage(
  { pixels, width, height }: PlanarImage,
  [a, b, c, d, e, f]: Affine,
  [outWidth, outHeight]: Size,
  into: Uint8Array,
  position = 0,
): void {
  const plane = width * height;
  const outPlane = outWidth * outHeight;
  const start = 3 * position * outPlane;
  for (let row = 0; row < outHeight; row++) {
    for (let column = 0; column < outWidth; column++) {
      const x = a * column + b * row + c;
      const y = d * column + e * row + f;
      const at = start + row * outWidth + column;
      const [left, top] = [Math.floor(x), Math.floor(y)];
      if (left < -1 || top < -1 || left >= width || top >= height) {
        into[at] = into[at + outPlane] = into[at + 2 * outPlane] = 0;
        continue;
      }
      const [u, v] = [x - left, y - top];
      const hasLeft = left >= 0 ? 1 : 0;
      const hasRight = left + 1 < width ? 1 : 0;
      const hasTop = top >= 0 ? 1 : 0;
      const hasBottom = top + 1 < height ? 1 : 0;
      const w00 = (1 - u) * (1 - v) * hasLeft * hasTop;
      const w10 = u * (1 - v) * hasRight * hasTop;
      const w01 = (1 - u) * v * hasLeft * hasBottom;
      const w11 = u * v * hasRight * hasBottom;
      const corner = top * width + left;
      for (let channel = 0; channel < 3; channel++) {
        const p = channel * plane + corner;
        let value = 0;
        if (w00 > 0) value += w00 * pixels[p]!;
        if (w10 > 0) value += w10 * pixels[p + 1]!;
        if (w01 > 0) value += w01 * pixels[p + width]!;
        if (w11 > 0) value += w11 * pixels[p + width + 1]!;
        into[at + channel * outPlane] = Math.round(value);
      }
    }
  }
}
