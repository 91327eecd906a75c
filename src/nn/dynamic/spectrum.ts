/**
 * Kernels as spectra, for FDConv. A kernel V [O, C, k, k] is viewed as the matrix with rows (o, i) and columns (c, j),
 * R = O·k by M = C·k. Its spectrum is the 2D Fourier transform, of which the columns f ≤ M/2 are kept.
 */
import { UsageError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import { constant, matmul, pad, reshape, transpose } from "../../ops/index.js";
import { fourierTransform } from "../../util/fourier.js";

/** Sizes of the spectrum of an R × M matrix: R rows by F = ⌊M/2⌋ + 1 columns. */
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
 * The spectrum of a kernel as stored by {@link FDConv2d}, divided by ⌊min(C, O) / 2⌋.
 *
 * @param values V in row-major order
 * @param shape [O, C, k, k]
 * @returns [O·k, ⌊C·k/2⌋ + 1, 2], real and imaginary parts
 */
export function kernelSpectrum(values: Float32Array, shape: readonly number[]): Float32Array {
  const [out, inner, kernel] = shape as readonly [number, number, number, number];
  const { rows, width, columns } = spectrumSize(out, inner, kernel);
  const alongRow = fourierTransform(width);
  const lines = Array.from({ length: rows }, (_, row) => {
    const [o, i] = [Math.floor(row / kernel), row % kernel];
    const re = new Float64Array(width);
    for (let column = 0; column < width; column++) {
      const [c, j] = [Math.floor(column / kernel), column % kernel];
      re[column] = values[((o * inner + c) * kernel + i) * kernel + j]!;
    }
    return alongRow({ re, im: new Float64Array(width) });
  });
  const alongColumn = fourierTransform(rows);
  const spectrum = new Float32Array(rows * columns * 2);
  const scale = 1 / Math.floor(Math.min(out, inner) / 2);
  for (let f = 0; f < columns; f++) {
    const { re, im } = alongColumn({
      re: Float64Array.from(lines, (line) => line.re[f]!),
      im: Float64Array.from(lines, (line) => line.im[f]!),
    });
    for (let u = 0; u < rows; u++) {
      spectrum[(u * columns + f) * 2] = re[u]! * scale;
      spectrum[(u * columns + f) * 2 + 1] = im[u]! * scale;
    }
  }
  return spectrum;
}

/** @throws UsageError if the number of groups does not divide the number of entries */
export function expectGroups({ rows, columns }: SpectrumSize, groups: number): void {
  const count = rows * columns;
  if (count % groups === 0) return;
  throw new UsageError(
    `FDConv2d: ${groups} frequency groups do not divide a spectrum of ${rows}×${columns}`,
    {
      hint: `use a number of groups that divides ${count}`,
    },
  );
}

/**
 * The frequency group of each entry of a spectrum [R, F]: entries sorted by (u·M)² + (f·R)², u signed, ties by
 * position, and split into equal groups. Squared distances are integers, so rounding does not affect where (u, f) and
 * (−u, f) go.
 *
 * @throws UsageError if the number of groups does not divide the number of entries
 */
export function frequencyGroups(size: SpectrumSize, groups: number): Uint32Array {
  expectGroups(size, groups);
  const { rows, width, columns } = size;
  const count = rows * columns;
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
 * Inverse transform of spectra, PyTorch's `irfft2`: complex along rows, then real along columns. Only the real part of
 * the first column and, for even M, of the last one counts; all other columns count twice.
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
  const alongRows = factoredSum(spectra, {
    length: rows,
    weight: () => 1 / rows,
    real: false,
  });
  // Here and below, axes move one at a time, which is fastest in runtimes.
  const rowsFirst = transpose(reshape(alongRows, [batch, columns, 2, rows]), [0, 3, 1, 2]);
  const byRow = transpose(rowsFirst, [0, 1, 3, 2]);
  const matrices = factoredSum(byRow, {
    length: width,
    weight: (f) => (f === 0 || 2 * f === width ? 1 : 2) / width,
    real: true,
  });
  const [out, inner] = [rows / kernel, width / kernel];
  return transpose(reshape(matrices, [batch, out, kernel, inner, kernel]), [0, 1, 3, 2, 4]);
}

/** A Fourier sum, Σ_u weight_u·z_u·e^(2πi·ur/n) for every r < n. */
interface Waves {
  /** n. */
  readonly length: number;
  readonly weight: (u: number) => number;
  /** Whether to return only the real part. */
  readonly real: boolean;
}

/**
 * The two factors of a length closest to each other. A transform of length a·b is one of length a and one of length b,
 * with a + b instead of a·b multiply-adds per number.
 */
function nearestFactors(length: number): readonly [a: number, b: number] {
  let a = Math.floor(Math.sqrt(length));
  while (length % a !== 0) a--;
  return [a, length / a];
}

/**
 * The Fourier sum along the last axis, by two Cooley–Tukey steps with constant matrices: with u = b·u₁ + u₂ and
 * r = r₁ + a·r₂, the exponent ur/n is u₁r₁/a + u₂r₁/n + u₂r₂/b up to integers.
 *
 * @param z [B, L, 2, m], the real and imaginary parts of the first m ≤ n terms; the others are 0
 * @returns [B, L, 2, n], or [B, L, n] for the real part
 */
function factoredSum(z: Tensor, waves: Waves): Tensor {
  const [batch, lines, , terms] = z.shape as readonly number[];
  const [a, b] = nearestFactors(waves.length);
  const first = Math.ceil(terms! / b);
  const whole = pad(z, { axis: 3, before: 0, after: first * b - terms! });
  const byLast = transpose(reshape(whole, [batch!, lines!, 2, first, b]), [0, 4, 1, 2, 3]);
  const outer = matmul(reshape(byLast, [batch!, b, lines!, 2 * first]), outerWaves(waves, first));
  const lastInwards = transpose(reshape(outer, [batch!, b, lines!, 2, a]), [0, 2, 3, 4, 1]);
  const byFirst = transpose(lastInwards, [0, 1, 3, 2, 4]);
  const inner = matmul(reshape(byFirst, [batch!, lines!, a, 2 * b]), innerWaves(b, waves.real));
  const parts = waves.real ? 1 : 2;
  const byPart = transpose(reshape(inner, [batch!, lines!, a, parts, b]), [0, 1, 3, 4, 2]);
  return reshape(byPart, [batch!, lines!, ...(waves.real ? [] : [2]), waves.length]);
}

/** [b, 2·first, 2·a]: for each u₂, maps (re, im) of u₁ to (re, im) of r₁, including the twiddle factors of u₂. */
function outerWaves({ length, weight }: Waves, first: number): Tensor {
  const [a, b] = nearestFactors(length);
  const values = new Float32Array(b * 2 * first * 2 * a);
  for (let last = 0; last < b; last++) {
    for (let u = 0; u < first; u++) {
      for (let r = 0; r < a; r++) {
        const term = u * b + last;
        const scale = term < length ? weight(term) : 0;
        setTurn(
          values,
          { rows: first, columns: a, matrix: last, row: u, column: r },
          [(term * r) % length, length],
          scale,
        );
      }
    }
  }
  return constant(values, [b, 2 * first, 2 * a]);
}

/** [2·b, 2·b], or [2·b, b] for the real part: maps (re, im) of u₂ to r₂. */
function innerWaves(b: number, real: boolean): Tensor {
  const values = new Float32Array(4 * b * b);
  for (let u = 0; u < b; u++) {
    for (let r = 0; r < b; r++) {
      setTurn(values, { rows: b, columns: b, matrix: 0, row: u, column: r }, [(u * r) % b, b], 1);
    }
  }
  if (!real) return constant(values, [2 * b, 2 * b]);
  const left = Float32Array.from(
    { length: 2 * b * b },
    (_, i) => values[Math.floor(i / b) * 2 * b + (i % b)]!,
  );
  return constant(left, [2 * b, b]);
}

/** Writes multiplication by scale·e^(2πi·part/whole) into the four (re, im) blocks of a matrix. */
function setTurn(
  values: Float32Array,
  at: Readonly<Record<"rows" | "columns" | "matrix" | "row" | "column", number>>,
  [part, whole]: readonly [number, number],
  scale: number,
): void {
  const angle = (2 * Math.PI * part) / whole;
  const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  const place = (from: number, to: number) =>
    ((at.matrix * 2 + from) * at.rows + at.row) * 2 * at.columns + to * at.columns + at.column;
  values[place(0, 0)] = cos;
  values[place(0, 1)] = sin;
  values[place(1, 0)] = -sin;
  values[place(1, 1)] = cos;
}
