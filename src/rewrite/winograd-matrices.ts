/**
 * The matrices of Winograd's minimal filtering, by the Toom–Cook construction: m sums over r taps are computed from the
 * values of polynomials at n = m + r − 1 points, each point separately.
 */

/**
 * Points where the polynomials are evaluated, besides infinity. Close to one, so that float32 loses little precision.
 */
const PLACES: readonly number[] = [0, 1, -1, 0.5, -2];

/** A matrix by rows. */
export type Matrix = readonly (readonly number[])[];

/** A convolution with stride 1. */
export interface Filtering {
  /** Height and width of the image, without its padding. */
  readonly size: readonly [number, number];
  readonly padding: readonly [number, number];
  /** Taps along each axis. */
  readonly taps: number;
  /** Outputs of a tile along each axis; at most 7 − `taps`. */
  readonly tile: number;
}

/** Matrices that transform to the n² points of each of T tiles. */
export interface WinogradMatrices {
  /** From the pixels of the image, including its padding: [n²·T, H·W]. */
  readonly image: Matrix;
  /** From the pixels of the result: [n²·T, H′·W′]. */
  readonly result: Matrix;
  /** From the taps: [n², r²]. */
  readonly weight: Matrix;
}

/** y = resultᵀ · ((weight · w) ⊙ (image · x)) over a whole image, summed over its tiles. */
export function winogradMatrices({ size, padding, taps, tile }: Filtering): WinogradMatrices {
  const matrices = tileMatrices(tile, taps);
  const along = (axis: 0 | 1): Placed => {
    const length = size[axis] + 2 * padding[axis] - taps + 1;
    const starts = Array.from({ length: Math.ceil(length / tile) }, (_, i) => i * tile);
    return {
      image: starts.map((start) => placed(matrices.image, size[axis], start - padding[axis])),
      result: starts.map((start) => placed(matrices.result, length, start)),
    };
  };
  const [rows, columns] = [along(0), along(1)];
  return {
    image: alongBoth(rows.image, columns.image),
    result: alongBoth(rows.result, columns.result),
    weight: alongBoth([matrices.weight], [matrices.weight]),
  };
}

/** Matrices along one axis, one per tile. */
interface Placed {
  readonly image: readonly Matrix[];
  readonly result: readonly Matrix[];
}

/** Places a tile's matrix among the pixels of an axis. Padding is zero and is left out. */
function placed(matrix: Matrix, length: number, start: number): Matrix {
  return matrix.map((row) => Array.from({ length }, (_, pixel) => row[pixel - start] ?? 0));
}

/** Products of row and column matrices, ordered by row point, column point, then tile. */
function alongBoth(rows: readonly Matrix[], columns: readonly Matrix[]): Matrix {
  const points = rows[0]!.map((_, point) => point);
  return points.flatMap((i) =>
    points.flatMap((j) =>
      rows.flatMap((row) => columns.map((column) => row[i]!.flatMap((a) => column[j]!.map((b) => a * b)))),
    ),
  );
}

/** The matrices of one tile along one axis, which map n pixels, m outputs and r taps to n points. */
function tileMatrices(results: number, taps: number): WinogradMatrices {
  const places = PLACES.slice(0, results + taps - 2);
  const powers = (count: number) =>
    places.map((place) => Array.from({ length: count }, (_, i) => place ** i));
  const leading = (count: number) => Array.from({ length: count }, (_, i) => (i === count - 1 ? 1 : 0));
  const others = (place: number) => places.filter((other) => other !== place);
  // Lagrange polynomials, with their denominators moved to the taps; for infinity, the one that vanishes at all other
  // points.
  const lagrange = places.map((place) => [...polynomial(others(place)), 0]);
  const denominator = (place: number) =>
    others(place).reduce((product, other) => product * (place - other), 1);
  const scaled = powers(taps).map((row, i) => row.map((value) => value / denominator(places[i]!)));
  return {
    image: [...lagrange, polynomial(places)],
    result: [...powers(results), leading(results)],
    weight: [...scaled, leading(taps)],
  };
}

/** Coefficients of Π (x − root), lowest power first. */
function polynomial(roots: readonly number[]): readonly number[] {
  return roots.reduce<readonly number[]>(
    (product, root) => product.concat(0).map((_, i) => (product[i - 1] ?? 0) - root * (product[i] ?? 0)),
    [1],
  );
}
