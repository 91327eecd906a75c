import { describe, expect, it } from "vitest";
import { meanInterval, pairsNeeded, wilsonInterval } from "../../src/statistics/interval.js";
import { bootstrapMean, comparePaired, mcnemar } from "../../src/statistics/paired.js";
import { permutationTest } from "../../src/statistics/permutation-test.js";
import { RandomStream } from "../../src/util/random.js";

describe("McNemar's exact test", () => {
  // Sums of binomial coefficients over 2ⁿ.
  it.each([
    [0, 0, 1],
    [1, 1, 1],
    [0, 5, 2 / 32],
    [2, 8, (2 * (1 + 10 + 45)) / 1024],
    [8, 2, (2 * (1 + 10 + 45)) / 1024],
  ])("%d against %d: p = %d", (a, b, p) => expect(mcnemar(a, b)).toBeCloseTo(p, 10));

  it("holds for thousands of disagreements, where powers of ½ vanish", () => {
    expect(mcnemar(2000, 2000)).toBe(1);
    // Normal approximation with continuity correction: z = (120 − 1) / √4000.
    expect(mcnemar(1940, 2060)).toBeCloseTo(0.0599, 3);
  });
});

describe("intervals", () => {
  it("of a mean are Student's", () => {
    const { mean, deviation, low, high } = meanInterval([1, 2, 3]);
    expect([mean, deviation]).toEqual([2, 1]);
    // t(0.975, 2) = 4.302653.
    expect(high - mean).toBeCloseTo(4.302653 / Math.sqrt(3), 5);
    expect(mean - low).toBeCloseTo(high - mean, 10);
  });

  it("of one value are endless", () => expect(meanInterval([1]).high).toBe(Number.POSITIVE_INFINITY));

  it("of a share are Wilson's, and stay within 0 and 1", () => {
    const { low, high } = wilsonInterval(8, 10);
    expect(low).toBeCloseTo(0.4902, 4);
    expect(high).toBeCloseTo(0.9433, 4);
    expect(wilsonInterval(0, 10).low).toBe(0);
    expect(wilsonInterval(10, 10).high).toBe(1);
  });

  it("by bootstrap hold the mean, depend on the seed alone, and shrink with the sample", () => {
    const random = new RandomStream(1, "values");
    const values = Array.from({ length: 400 }, () => random.normal());
    const { low, high } = bootstrapMean(values, 3);
    const { low: l, high: h } = meanInterval(values);
    expect(low).toBeCloseTo(l, 1);
    expect(high).toBeCloseTo(h, 1);
    expect(bootstrapMean(values, 3)).toEqual({ low, high });
  });

  it("tell how many pairs of runs a difference needs", () => {
    expect(pairsNeeded([1, 1.1, 0.9])).toBe(2);
    // (t(.975, n − 1) + t(.8, n − 1))² / n is 1 from n = 10 on.
    expect(pairsNeeded([0, 1, 2])).toBe(10);
    expect(pairsNeeded([0.5])).toBeUndefined();
    expect(pairsNeeded([1, -1])).toBeUndefined();
  });
});

it("two models on the same images: the difference, and what each alone has right", () => {
  const first = [true, true, false, false, true, false];
  const second = [true, false, true, true, true, true];
  const { difference, onlyFirst, onlySecond, p, interval } = comparePaired(first, second, 0);
  expect(difference).toBeCloseTo(2 / 6);
  expect([onlyFirst, onlySecond]).toEqual([1, 3]);
  expect(p).toBeCloseTo((2 * (1 + 4)) / 16);
  expect(interval.low).toBeLessThan(difference);
  expect(interval.high).toBeGreaterThan(difference);
});

describe("the permutation test", () => {
  const groups = Array.from({ length: 40 }, (_, i) => i % 2);
  const random = new RandomStream(1, "rows");
  const noise = groups.map(() => [random.normal(), random.normal()]);

  it("finds groups that differ", () => {
    const { between, p } = permutationTest(
      noise.map(([a, b], i) => [a! + 3 * groups[i]!, b!]),
      groups,
      1,
    );
    expect(p).toBe(0.001);
    expect(between).toBeGreaterThan(0.3);
  });

  it("does not find those drawn by lot", () => {
    expect(permutationTest(noise, groups, 1).p).toBeGreaterThan(0.05);
  });

  it("has nothing to say of rows that are all alike", () => {
    expect(permutationTest([[1], [1]], [0, 1], 1)).toEqual({ between: 0, p: 1 });
  });
});
