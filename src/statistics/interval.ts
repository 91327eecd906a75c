import jstat from "jstat";

/** A 95 % confidence interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A mean with its confidence interval. */
export interface MeanInterval extends Interval {
  readonly mean: number;
  /** Sample standard deviation, with n − 1. 0 for a single value. */
  readonly deviation: number;
}

/**
 * Mean of a few independent values, such as the accuracies of several seeds, with Student's 95 % interval.
 * For a single value, which says nothing about the spread, the interval is infinite.
 */
export function meanInterval(values: readonly number[]): MeanInterval {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const freedom = values.length - 1;
  if (freedom < 1)
    return { mean, deviation: 0, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / freedom);
  const reach = (jstat.jStat.studentt.inv(0.975, freedom) * deviation) / Math.sqrt(values.length);
  return { mean, deviation, low: mean - reach, high: mean + reach };
}

/**
 * Wilson's 95 % interval of a proportion, which stays within 0 and 1 even for few images.
 *
 * Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927, equation 7.
 */
export function wilsonInterval(hits: number, trials: number): Interval {
  const z = jstat.jStat.normal.inv(0.975, 0, 1);
  const share = hits / trials;
  const scale = 1 + z ** 2 / trials;
  const middle = (share + z ** 2 / (2 * trials)) / scale;
  const reach = (z / scale) * Math.sqrt((share * (1 - share)) / trials + z ** 2 / (4 * trials ** 2));
  return { low: Math.max(0, middle - reach), high: Math.min(1, middle + reach) };
}

/**
 * Number of pairs of runs, one seed each, needed to detect a difference as large as the observed one in four
 * of five experiments (5 % two-sided, power 0.8). `undefined` if the pairs do not differ or there is only
 * one.
 */
export function pairsNeeded(differences: readonly number[]): number | undefined {
  const { mean, deviation } = meanInterval(differences);
  if (differences.length < 2 || mean === 0) return undefined;
  const { studentt } = jstat.jStat;
  for (let pairs = 2; pairs < 10_000; pairs++) {
    const wanted = (studentt.inv(0.975, pairs - 1) + studentt.inv(0.8, pairs - 1)) * deviation;
    if (Math.abs(mean) * Math.sqrt(pairs) >= wanted) return pairs;
  }
  return undefined;
}
