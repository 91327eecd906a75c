/**
 * Frequency band modulation of FDConv: each band of an image's frequencies is weighed position by position,
 * x̂ = Σ_b 2σ(conv_b(x)) ⊙ (low_{b−1} − low_b) + low_3, low_0 = x.
 *
 * A low-pass filter of an image of known size is linear, and its mask, max(|f_u|, |f_v|) below a cut-off, is a product of
 * one for rows and one for columns: it is two constant matrices, left and right.
 */
import type { Tensor } from "../../ir/index.js";
import { add, concat, constant, conv2d, matmul, mul, sigmoid, slice, sub } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import type { Conv2d } from "../layers/convolution.js";

/** The number of bands that are weighed, by cut-offs ¼, ⅛ and 1/16. */
export const BANDS = 3;

/** Images of the size at which the released code makes its masks. */
const RELEASED_SIZE = 64;

/**
 * Where masks are made. `"exact"`: for the size of the image. `"released"`: for 64×64, resized by nearest neighbour, as in
 * the released code.
 */
export type BandMasks = "exact" | "released";

/** Which frequencies of an axis of `size` pass, by their size in cycles a sample: below ¼, up to ⅛, up to 1/16. */
function passes(size: number, frequency: number, band: number): boolean {
  return band === 0 ? 4 * frequency < size : 2 ** (band + 2) * frequency <= size;
}

/** Which of the `size` rows of a spectrum pass. */
function rowMask(size: number, band: number, masks: BandMasks): readonly boolean[] {
  const signed = (row: number, rows: number) => passes(rows, Math.min(row, rows - row), band);
  return Array.from({ length: size }, (_, row) =>
    masks === "exact" ? signed(row, size) : signed(Math.floor((row * RELEASED_SIZE) / size), RELEASED_SIZE),
  );
}

/** Which of the ⌊size/2⌋ + 1 columns of a spectrum pass. */
function columnMask(size: number, band: number, masks: BandMasks): readonly boolean[] {
  const columns = Math.floor(size / 2) + 1;
  const released = RELEASED_SIZE / 2 + 1;
  return Array.from({ length: columns }, (_, f) =>
    masks === "exact"
      ? passes(size, f, band)
      : passes(RELEASED_SIZE, Math.floor((f * released) / columns), band),
  );
}

/** Σ over what passes of cos or sin(2πf(n − m)/size) / size, [size, size], by the circle of differences. */
function circulant(size: number, value: (difference: number) => number): Float32Array {
  const circle = Float64Array.from({ length: size }, (_, difference) => value(difference) / size);
  return Float32Array.from({ length: size * size }, (_, place) => {
    const [n, m] = [Math.floor(place / size), place % size];
    return circle[(n - m + size) % size]!;
  });
}

/** Filters of rows, to be multiplied from the left: real and imaginary part. */
function rowFilter(size: number, mask: readonly boolean[]) {
  const part = (wave: (angle: number) => number) =>
    circulant(size, (d) =>
      mask.reduce((sum, pass, u) => (pass ? sum + wave((2 * Math.PI * ((u * d) % size)) / size) : sum), 0),
    );
  const symmetric = mask.every((pass, u) => pass === mask[(size - u) % size]);
  return { real: part(Math.cos), imaginary: symmetric ? undefined : part(Math.sin) };
}

/** Filters of columns, to be multiplied from the right: of the real and of the imaginary part that rows give. */
function columnFilter(size: number, mask: readonly boolean[]) {
  const part = (wave: (angle: number) => number) =>
    circulant(size, (d) =>
      mask.reduce((sum, pass, f) => {
        const times = f === 0 || 2 * f === size ? 1 : 2;
        return pass ? sum + times * wave((2 * Math.PI * ((f * d) % size)) / size) : sum;
      }, 0),
    );
  return { real: part(Math.cos), imaginary: part(Math.sin) };
}

/** What is left of an image [B, C, H, W] below the cut-off of a band. */
function lowPass(x: Tensor, band: number, masks: BandMasks): Tensor {
  const [height, width] = x.shape.slice(2) as readonly number[] as readonly [number, number];
  const rows = rowFilter(height, rowMask(height, band, masks));
  const columns = columnFilter(width, columnMask(width, band, masks));
  const filtered = (left: Float32Array, right: Float32Array) =>
    matmul(constant(left, [height, height]), matmul(x, constant(right, [width, width])));
  const real = filtered(rows.real, columns.real);
  return rows.imaginary === undefined ? real : add(real, filtered(rows.imaginary, columns.imaginary));
}

/** x [B, C, H, W] with its bands weighed by 2σ of the convolutions to one channel each; `record` sees the weights. */
export function modulateBands(
  x: Tensor,
  convolutions: readonly Conv2d[],
  context: ForwardContext,
  { masks, record }: { readonly masks: BandMasks; readonly record: (weights: Tensor) => Tensor },
): Tensor {
  const weight = concat(
    convolutions.map((band) => context.read(band.weight)),
    0,
  );
  const bias = concat(
    convolutions.map((band) => context.read(band.bias!)),
    0,
  );
  const weights = record(mul(sigmoid(conv2d(x, weight, bias, { padding: 1 })), 2));
  let above = x;
  const parts = convolutions.map((_, band) => {
    const low = lowPass(x, band, masks);
    const part = mul(sub(above, low), slice(weights, { axis: 1, start: band, end: band + 1 }));
    above = low;
    return part;
  });
  return [...parts, above].reduce((a, b) => add(a, b));
}
