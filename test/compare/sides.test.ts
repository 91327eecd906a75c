import { describe, expect, it } from "vitest";
import { compareSides, confusionOf, hardestMistakes, type SidePredictions } from "../../src/compare/sides.js";

const TRUTHS = Array.from({ length: 200 }, (_, i) => i % 2);

/** A side whose runs are wrong about the first images of each kind: so many for each seed. */
function sideOf(name: string, mistakes: readonly number[]): SidePredictions {
  const runs = mistakes.map((wrong, n) => ({
    seed: 42 + n,
    classes: TRUTHS.map((truth, i) => (i < wrong ? 1 - truth : truth)),
    confidences: TRUTHS.map((_, i) => (i % 50) / 50),
  }));
  return { name, runs };
}

const compare = (first: readonly number[], second: readonly number[]) =>
  compareSides(
    [sideOf("dy", first), sideOf("static", second)],
    first.map(() => TRUTHS),
    ["a", "b", "unseen"],
  );

describe("two sides", () => {
  it("of one seed are told apart by McNemar's test, and no more is claimed", () => {
    const { pairs, sentence, needed, classes } = compare([10], [30]);
    expect(pairs).toEqual([
      expect.objectContaining({ seed: 42, accuracies: [0.95, 0.85], onlyFirst: 20, onlySecond: 0 }),
    ]);
    expect(pairs[0]!.p).toBeCloseTo(2 * 0.5 ** 20, 9);
    expect(needed).toBeUndefined();
    expect(sentence).toContain(
      "dy is 10.00 points above static on the test images, more than chance explains",
    );
    expect(sentence).toContain("(McNemar’s test: p <0.001)");
    expect(sentence).toContain("One run of each does not say what other seeds would give.");
    expect(classes.map(({ label, images }) => [label, images])).toEqual([
      ["a", 100],
      ["b", 100],
    ]);
    expect(classes[0]!.shares[0].share).toBe(0.95);
    expect(classes[0]!.shares[0].low).toBeCloseTo(0.8882, 3);
  });

  it("that differ by chance say how many seeds would be needed", () => {
    const { difference, means, needed, sentence } = compare([20, 24, 16], [22, 20, 24]);
    expect(means[0].mean).toBeCloseTo(0.9);
    expect(difference.mean).toBeCloseTo(-0.01);
    expect(difference.low).toBeLessThan(0);
    expect(difference.high).toBeGreaterThan(0);
    expect(needed).toBeGreaterThan(3);
    expect(sentence).toContain("Over 3 seeds, dy is 1.00 points above static on average");
    expect(sentence).toContain(`not told from chance. To tell a difference as large`);
    expect(sentence).toContain(`${needed} seeds of each would be needed`);
  });

  it("that differ for certain say so", () => {
    expect(compare([10, 12, 11], [40, 41, 39]).sentence).toMatch(/more than chance explains\.$/);
  });

  it("that are equal are", () => {
    expect(compare([10], [10]).sentence).toBe("dy and static classify equally many test images correctly.");
  });
});

it("the confusion of a side sums its runs", () => {
  expect(confusionOf(sideOf("dy", [10, 30]), [TRUTHS, TRUTHS], 2)).toEqual([
    [180, 20],
    [20, 180],
  ]);
});

it("the hardest mistakes are those of which a run is surest", () => {
  const [run] = sideOf("dy", [10]).runs;
  expect(hardestMistakes(run!, TRUTHS, 3)).toEqual([9, 8, 7]);
});
