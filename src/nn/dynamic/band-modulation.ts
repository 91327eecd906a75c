/**
 * Frequency band modulation of FDConv: each band of an image's frequencies is weighted per position, x̂ = Σ_b
 * 2σ(conv_b(x)) ⊙ (low_{b−1} − low_b) + low_3, low_0 = x.
 *
 * For an image of known size, a low-pass filter is linear. Its mask, max(|f_u|, |f_v|) below a cut-off, is the product
 * of a row and a column mask, so the filter is a product with two constant matrices, left and right.
 */
import type { Tensor } from "../../ir/index.js";
import { add, concat, constant, conv2d, matmul, mul, sigmoid, slice, sub } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import type { Conv2d } from "../layers/convolution.js";

/** Number of weighted bands, with cut-offs ¼, ⅛ and 1/16. */
export const BANDS = 3;

/** Image size for which the released code builds its masks. */
const RELEASED_SIZE = 64;

/**
 * How masks are built. `"exact"`: for the size of the image. `"released"`: for 64×64, resized by nearest neighbour, as
 * in the released code.
 */
export type BandMasks = "exact" | "released";

/** Whether a frequency of an axis of `size` passes: below ¼, up to ⅛ or up to 1/16 cycles per sample. */
function passes(size: number, frequency: number, band: number): boolean {
  return band === 0 ? 4 * frequency < size : 2 ** (band + 2) * frequency <= size;
}

/** Which of the `size` rows of a spectrum pass a band's filter. */
function rowMask(size: number, band: number, masks: BandMasks): readonly boolean[] {
  const signed = (row: number, rows: number) => passes(rows, Math.min(row, rows - row), band);
  return Array.from({ length: size }, (_, row) =>
    masks === "exact" ? signed(row, size) : signed(Math.floor((row * RELEASED_SIZE) / size), RELEASED_SIZE),
  );
}

/** Which of the ⌊size/2⌋ + 1 columns of a spectrum pass a band's filter. */
function columnMask(size: number, band: number, masks: BandMasks): readonly boolean[] {
  const columns = Math.floor(size / 2) + 1;
  const released = RELEASED_SIZE / 2 + 1;
  return Array.from({ length: columns }, (_, f) =>
    masks === "exact"
      ? passes(size, f, band)
      : passes(RELEASED_SIZE, Math.floor((f * released) / columns), band),
  );
}

/** The circulant matrix [size, size] with entries value((n − m) mod size) / size. */
function circulant(size: number, value: (difference: number) => number): Float32Array {
  const circle = Float64Array.from({ length: size }, (_, difference) => value(difference) / size);
  return Float32Array.from({ length: size * size }, (_, place) => {
    const [n, m] = [Math.floor(place / size), place % size];
    return circle[(n - m + size) % size]!;
  });
}

/** Row filter, applied from the left: real and imaginary part. */
function rowFilter(size: number, mask: readonly boolean[]) {
  const part = (wave: (angle: number) => number) =>
    circulant(size, (d) =>
      mask.reduce((sum, pass, u) => (pass ? sum + wave((2 * Math.PI * ((u * d) % size)) / size) : sum), 0),
    );
  const symmetric = mask.every((pass, u) => pass === mask[(size - u) % size]);
  return { real: part(Math.cos), imaginary: symmetric ? undefined : part(Math.sin) };
}

/** Column filter, applied from the right to the real and imaginary parts of the row filter's result. */
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

/** Low-pass filters an image [B, C, H, W] at the cut-off of a band. */
function lowPass(x: Tensor, band: number, masks: BandMasks): Tensor {
  const [height, width] = x.shape.slice(2) as readonly number[] as readonly [number, number];
  const rows = rowFilter(height, rowMask(height, band, masks));
  const columns = columnFilter(width, columnMask(width, band, masks));
  const filtered = (left: Float32Array, right: Float32Array) =>
    matmul(constant(left, [height, height]), matmul(x, constant(right, [width, width])));
  const real = filtered(rows.real, columns.real);
  return rows.imaginary === undefined ? real : add(real, filtered(rows.imaginary, columns.imaginary));
}

/** Weights the bands of x [B, C, H, W] by 2σ of one single-channel convolution each. `record` receives the weights. */
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
