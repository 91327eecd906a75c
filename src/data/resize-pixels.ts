import type { ImageFit, ImageShape } from "./image-shape.js";
import { resizeBands } from "./resample.js";

/** An image as decoders and canvases give it: the numbers of a pixel lie side by side. */
export interface PackedImage {
  /** [height, width, channels]; the first three are red, green and blue, fewer are grey. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly height: number;
  readonly width: number;
}

/** Bits behind the point of a weight: a sum of 255 times one stays a whole number that fits into 32 bits. */
const BITS = 22;
const HALF = 2 ** (BITS - 1);

/**
 * Resizes an image to a square as Pillow's `resize` with `BILINEAR` does, to the same bytes: lines first, then columns,
 * each rounded. Command line and page share it, so that both show a model the same pixels.
 *
 * @param planes uint8 [3, size, size], which is written
 */
export function resizePixels(
  { data, height, width }: PackedImage,
  { size, fit = "stretch" }: ImageShape,
  planes: Uint8Array,
): void {
  const narrow = resizeLines(
    data,
    data.length / (height * width),
    height,
    width,
    weightsOf(width, height, size, fit),
  );
  const area = size * size;
  const { first, taps, weights } = weightsOf(height, width, size, fit);
  const sums = new Int32Array(3 * size);
  for (let y = 0; y < size; y++) {
    sums.fill(HALF);
    for (let tap = 0; tap < taps; tap++) {
      const weight = weights[y * taps + tap]!;
      if (weight === 0) break;
      const line = (first[y]! + tap) * 3 * size;
      for (let i = 0; i < 3 * size; i++) sums[i]! += Math.imul(narrow[line + i]!, weight);
    }
    for (let x = 0; x < size; x++) {
      for (let colour = 0; colour < 3; colour++) {
        planes[colour * area + y * size + x] = sums[3 * x + colour]! >> BITS;
      }
    }
  }
}

/** Weights as whole numbers; those that are not zero come first in a row. */
interface WholeWeights {
  readonly size: number;
  readonly taps: number;
  readonly first: Int32Array;
  readonly weights: Int32Array;
}

/** Resizes the lines of an image: [height, size, 3]. */
function resizeLines(
  data: PackedImage["data"],
  channels: number,
  height: number,
  width: number,
  { size, taps, first, weights }: WholeWeights,
): Uint8Array {
  const out = new Uint8Array(height * size * 3);
  // Grey is read three times.
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < size; x++, to += 3) {
      let r = HALF;
      let g = HALF;
      let b = HALF;
      let at = (y * width + first[x]!) * channels;
      for (let tap = x * taps; tap < (x + 1) * taps; tap++, at += channels) {
        const weight = weights[tap]!;
        if (weight === 0) break;
        r = (r + Math.imul(data[at]!, weight)) | 0;
        g = (g + Math.imul(data[at + green]!, weight)) | 0;
        b = (b + Math.imul(data[at + blue]!, weight)) | 0;
      }
      out[to] = r >> BITS;
      out[to + 1] = g >> BITS;
      out[to + 2] = b >> BITS;
    }
  }
  return out;
}

/** The resize of a line, or of as much of its middle as the `other` side of the image has. */
function weightsOf(extent: number, other: number, size: number, fit: ImageFit): WholeWeights {
  const length = fit === "crop" ? Math.min(extent, other) : extent;
  const { taps, first, weights } = resizeBands(extent, size, { start: (extent - length) / 2, length });
  const whole = new Int32Array(size * taps);
  const starts = Int32Array.from(first);
  for (let row = 0; row < size; row++) {
    let written = row * taps;
    for (let tap = 0; tap < taps; tap++) {
      const weight = Math.round(weights[row * taps + tap]! * 2 ** BITS);
      if (weight === 0 && written === row * taps) starts[row]!++;
      else whole[written++] = weight;
    }
  }
  return { size, taps, first: starts, weights: whole };
}
