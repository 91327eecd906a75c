/** Two models on the same images: how much they differ, and whether that may be chance. */
import jstat from "jstat";
import { RandomStream } from "../util/random.js";
import type { Interval } from "./interval.js";

/** Whether each image was a hit, in order. */
export type Hits = readonly boolean[];

/** A difference of two proportions of hits, second minus first. */
export interface PairedDifference {
  /** −1 to 1. */
  readonly difference: number;
  /** 95 % interval of the difference, by bootstrap over the images. */
  readonly interval: Interval;
  /** Images that only the first, or only the second, classifies correctly. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /**
   * Two-sided p-value of McNemar's exact test: the probability of a split of the disagreements at least as
   * uneven as this, by chance.
   */
  readonly p: number;
}

const RESAMPLES = 2000;

/**
 * Compares two models on the same images.
 *
 * @param seed of the bootstrap
 */
export function comparePaired(first: Hits, second: Hits, seed: number): PairedDifference {
  const gains = first.map((hit, i) => Number(second[i]) - Number(hit));
  const onlyFirst = gains.filter((gain) => gain < 0).length;
  const onlySecond = gains.filter((gain) => gain > 0).length;
  return {
    difference: (onlySecond - onlyFirst) / gains.length,
    interval: bootstrapMean(gains, seed),
    onlyFirst,
    onlySecond,
    p: mcnemar(onlyFirst, onlySecond),
  };
}

/**
 * McNemar's exact test. Of n images that only one of two models gets right, each is equally likely to be
 * either's if the models are equally good.
 *
 * McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika 1947.
 *
 * @returns two-sided p-value
 */
export function mcnemar(onlyFirst: number, onlySecond: number): number {
  const disagreements = onlyFirst + onlySecond;
  if (disagreements === 0) return 1;
  return Math.min(1, 2 * jstat.jStat.binomial.cdf(Math.min(onlyFirst, onlySecond), disagreements, 0.5));
}

/** 95 % interval of a mean: percentiles of the means of samples drawn with replacement. Efron, 1979. */
export function bootstrapMean(values: readonly number[], seed: number): Interval {
  const random = new RandomStream(seed, "bootstrap");
  const means = Float64Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[random.integer(values.length)]!;
    return sum / values.length;
  }).sort();
  return { low: means[Math.floor(0.025 * RESAMPLES)]!, high: means[Math.ceil(0.975 * RESAMPLES) - 1]! };
}
