import { RandomStream } from "../util/random.js";

/** Whether the means of groups differ. */
export interface GroupDifference {
  /** Share of the variance that lies between the groups, 0 to 1 (η²). */
  readonly between: number;
  /** Probability of a share at least as large if groups are assigned at random. */
  readonly p: number;
}

const SHUFFLES = 999;

/**
 * Tests whether groups of rows differ, by randomly permuting their labels and comparing the share of the
 * variance between groups. Assumes no distribution. Fisher, 1935.
 *
 * @param rows numbers, all of one length
 * @param groups of each row, from 0
 * @param seed of the permutations
 */
export function permutationTest(
  rows: readonly ArrayLike<number>[],
  groups: readonly number[],
  seed: number,
): GroupDifference {
  const sums = new GroupSums(rows, 1 + Math.max(...groups));
  const seen = sums.between(groups);
  const random = new RandomStream(seed, "permutation test");
  let asLarge = 0;
  for (let n = 0; n < SHUFFLES; n++) {
    const order = random.permutation(groups.length);
    if (sums.between(Array.from(order, (i) => groups[i]!)) >= seen - 1e-12) asLarge++;
  }
  return { between: seen, p: (1 + asLarge) / (1 + SHUFFLES) };
}

/** Sums of squares of rows around their mean. */
class GroupSums {
  readonly #centred: readonly Float64Array[];
  readonly #total: number;

  constructor(
    rows: readonly ArrayLike<number>[],
    readonly groups: number,
  ) {
    const width = rows[0]!.length;
    const mean = Float64Array.from(
      { length: width },
      (_, c) => rows.reduce((sum, row) => sum + row[c]!, 0) / rows.length,
    );
    this.#centred = rows.map((row) => Float64Array.from(row, (value, c) => value - mean[c]!));
    this.#total = this.#centred.reduce(
      (sum, row) => row.reduce((inner, value) => inner + value ** 2, sum),
      0,
    );
  }

  /** Share of the sum of squares that the group means account for. */
  between(groups: readonly number[]): number {
    if (this.#total === 0) return 0;
    const sums = Array.from({ length: this.groups }, () => new Float64Array(this.#centred[0]!.length));
    const counts = new Float64Array(this.groups);
    this.#centred.forEach((row, i) => {
      const sum = sums[groups[i]!]!;
      counts[groups[i]!]! += 1;
      for (let c = 0; c < row.length; c++) sum[c]! += row[c]!;
    });
    const squares = sums.map((sum, g) =>
      counts[g] === 0 ? 0 : sum.reduce((total, value) => total + value ** 2, 0) / counts[g]!,
    );
    return squares.reduce((total, value) => total + value, 0) / this.#total;
  }
}
