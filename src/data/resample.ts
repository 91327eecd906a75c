/**
 * Resampling as matrices. The filter is PIL's bilinear one: a triangle, widened when downscaling, over
 * half-pixel centres, with weights that sum to one.
 */

/**
 * A matrix whose rows are zero except for a few neighbours: row i holds `weights` starting at column
 * `first[i]`.
 */
export interface BandedMatrix {
  readonly rows: number;
  /** Stored weights per row. Unused ones at the end are zero. */
  readonly taps: number;
  /** [rows] */
  readonly first: Int32Array;
  /** [rows, taps] */
  readonly weights: Float64Array;
}

/**
 * The bilinear resize of a line of `from` pixels to `to` pixels.
 *
 * @param kept the part that is resized, in pixels that need not be whole; all by default
 */
export function resizeBands(
  from: number,
  to: number,
  kept: { readonly start: number; readonly length: number } = { start: 0, length: from },
): BandedMatrix {
  const scale = kept.length / to;
  const support = Math.max(1, scale);
  const taps = 2 * Math.ceil(support) + 1;
  const first = new Int32Array(to);
  const weights = new Float64Array(to * taps);
  for (let row = 0; row < to; row++) {
    const centre = kept.start + (row + 0.5) * scale;
    const start = Math.max(0, Math.floor(centre - support + 0.5));
    const end = Math.min(from, Math.floor(centre + support + 0.5));
    let sum = 0;
    for (let i = start; i < end; i++) {
      const weight = Math.max(0, 1 - Math.abs(i + 0.5 - centre) / support);
      weights[row * taps + i - start] = weight;
      sum += weight;
    }
    for (let tap = 0; tap < end - start; tap++) weights[row * taps + tap]! /= sum;
    first[row] = start;
  }
  return { rows: to, taps, first, weights };
}

/** Bilinear resizing from `from` to `to` pixels, as a dense row-major matrix [to, from]. */
export function resizeMatrix(from: number, to: number): Float32Array {
  const { taps, first, weights } = resizeBands(from, to);
  const matrix = new Float32Array(to * from);
  for (let i = 0; i < weights.length; i++) {
    const row = Math.floor(i / taps);
    if (weights[i] !== 0) matrix[row * from + first[row]! + (i % taps)] = weights[i]!;
  }
  return matrix;
}

/**
 * Writes `second` · (rows `start` … of `first`) into `out` at `offset`, as [second.rows, width].
 *
 * @param reversed writes the last row first, which mirrors the image
 */
export function writeProduct(
  second: BandedMatrix,
  first: BandedMatrix,
  start: number,
  width: number,
  out: Float32Array,
  offset: number,
  reversed: boolean,
): void {
  out.fill(0, offset, offset + second.rows * width);
  for (let row = 0; row < second.rows; row++) {
    const target = offset + (reversed ? second.rows - 1 - row : row) * width;
    for (let i = 0; i < second.taps; i++) {
      const outer = second.weights[row * second.taps + i]!;
      if (outer === 0) continue;
      const middle = start + second.first[row]! + i;
      const column = target + first.first[middle]!;
      for (let j = 0; j < first.taps; j++) {
        const inner = first.weights[middle * first.taps + j]!;
        if (inner !== 0) out[column + j]! += outer * inner;
      }
    }
  }
}
