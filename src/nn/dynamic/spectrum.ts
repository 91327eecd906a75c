/**
 * Kernels as spectra, for FDConv. A kernel V [O, C, k, k] is taken as the matrix with rows (o, i) and columns (c, j),
 * R = O·k by M = C·k; its spectrum is the Fourier transform along both, of which the columns f ≤ M/2 are kept.
 */
import { UsageError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import { constant, matmul, reshape, transpose } from "../../ops/index.js";
import { type Complex, fourier } from "../../util/fourier.js";

/** Sizes of a spectrum: R rows by F = ⌊M/2⌋ + 1 columns, of a matrix of R × M. */
export interface SpectrumSize {
  readonly rows: number;
  /** M. */
  readonly width: number;
  /** F. */
  readonly columns: number;
}

/** Sizes of the spectrum of a kernel [O, C, k, k]. */
export function spectrumSize(outChannels: number, inChannels: number, kernel: number): SpectrumSize {
  const width = inChannels * kernel;
  return { rows: outChannels * kernel, width, columns: Math.floor(width / 2) + 1 };
}

/**
 * The spectrum of a kernel, as {@link FDConv2d} keeps it: divided by ⌊min(C, O) / 2⌋.
 *
 * @param values V in row-major order
 * @param shape [O, C, k, k]
 * @returns [O·k, ⌊C·k/2⌋ + 1, 2], real and imaginary parts
 */
export function kernelSpectrum(values: Float32Array, shape: readonly number[]): Float32Array {
  const [out, inner, kernel] = shape as readonly [number, number, number, number];
  const { rows, width, columns } = spectrumSize(out, inner, kernel);
  const along: Complex[] = Array.from({ length: rows }, (_, row) => {
    const [o, i] = [Math.floor(row / kernel), row % kernel];
    const re = Float64Array.from({ length: width }, (_, column) => {
      const [c, j] = [Math.floor(column / kernel), column % kernel];
      return values[((o * inner + c) * kernel + i) * kernel + j]!;
    });
    return fourier({ re, im: new Float64Array(width) });
  });
  const spectrum = new Float32Array(rows * columns * 2);
  const scale = 1 / Math.floor(Math.min(out, inner) / 2);
  for (let f = 0; f < columns; f++) {
    const { re, im } = fourier({
      re: Float64Array.from({ length: rows }, (_, row) => along[row]!.re[f]!),
      im: Float64Array.from({ length: rows }, (_, row) => along[row]!.im[f]!),
    });
    for (let u = 0; u < rows; u++) {
      spectrum[(u * columns + f) * 2] = re[u]! * scale;
      spectrum[(u * columns + f) * 2 + 1] = im[u]! * scale;
    }
  }
  return spectrum;
}

/**
 * The frequency group of each entry of a spectrum [R, F]: entries by (u·M)² + (f·R)², u signed, ties by place, cut into
 * equal runs. Squared distances are whole numbers, so that no rounding decides where (u, f) and (−u, f) go.
 *
 * @throws UsageError where the groups do not divide the entries
 */
export function frequencyGroups({ rows, width, columns }: SpectrumSize, groups: number): Uint32Array {
  const count = rows * columns;
  if (count % groups !== 0) {
    throw new UsageError(
      `FDConv2d: ${groups} frequency groups do not divide a spectrum of ${rows}×${columns}`,
      {
        hint: `use a number of groups that divides ${count}`,
      },
    );
  }
  const distance = Float64Array.from({ length: count }, (_, place) => {
    const row = Math.floor(place / columns);
    const u = Math.min(row, rows - row) * width;
    const f = (place % columns) * rows;
    return u * u + f * f;
  });
  const order = Uint32Array.from({ length: count }, (_, place) => place).sort(
    (a, b) => distance[a]! - distance[b]! || a - b,
  );
  const group = new Uint32Array(count);
  for (const [rank, place] of order.entries()) group[place] = Math.floor((rank * groups) / count);
  return group;
}

/**
 * Inverse transform of spectra, as PyTorch's `irfft2`: complex along rows, then real along columns, where of the first
 * column and, if M is even, the last only the real part counts and all others count twice.
 *
 * @param spectra [B, F, 2, R]
 * @returns kernels [B, O, C, k, k]
 */
export function inverseSpectrum(
  spectra: Tensor,
  { rows, width, columns }: SpectrumSize,
  kernel: number,
): Tensor {
  const batch = spectra.shape[0]!;
  const alongRows = matmul(reshape(spectra, [batch, columns, 2 * rows]), rowTransform(rows));
  const pairs = reshape(alongRows, [batch, 2 * columns, rows]);
  const matrices = reshape(matmul(columnTransform(width), pairs), [
    ...[batch, width / kernel, kernel, rows / kernel, kernel],
  ]);
  return transpose(matrices, [0, 3, 1, 4, 2]);
}

/** [2·R, 2·R]: (re, im) of u → (re, im) of r, Σ_u z_u·e^(2πi·ur/R) / R. */
function rowTransform(rows: number): Tensor {
  const values = new Float32Array(4 * rows * rows);
  for (let u = 0; u < rows; u++) {
    for (let r = 0; r < rows; r++) {
      const angle = (2 * Math.PI * ((u * r) % rows)) / rows;
      const [cos, sin] = [Math.cos(angle) / rows, Math.sin(angle) / rows];
      values[u * 2 * rows + r] = cos;
      values[u * 2 * rows + rows + r] = sin;
      values[(rows + u) * 2 * rows + r] = -sin;
      values[(rows + u) * 2 * rows + rows + r] = cos;
    }
  }
  return constant(values, [2 * rows, 2 * rows]);
}

/** [M, 2·F]: (re, im) of f → column m, Σ_f w_f·(re·cos − im·sin)(2πfm/M) / M; the sines of w = 1 are 0. */
function columnTransform(width: number): Tensor {
  const columns = Math.floor(width / 2) + 1;
  const values = new Float32Array(width * 2 * columns);
  for (let m = 0; m < width; m++) {
    for (let f = 0; f < columns; f++) {
      const once = f === 0 || 2 * f === width;
      const angle = (2 * Math.PI * ((f * m) % width)) / width;
      values[(m * columns + f) * 2] = ((once ? 1 : 2) * Math.cos(angle)) / width;
      values[(m * columns + f) * 2 + 1] = once ? 0 : (-2 * Math.sin(angle)) / width;
    }
  }
  return constant(values, [width, 2 * columns]);
}
