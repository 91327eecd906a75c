/** Two sides of a comparison, one run per seed: how they differ, and whether that may be chance. */

import { formatP, type SharedClass, type SidePair, type SidesFigures } from "../report/index.js";
import { meanInterval, pairsNeeded, wilsonInterval } from "../statistics/interval.js";
import { comparePaired, type Hits } from "../statistics/paired.js";

/** Predictions of a run on the test images. */
export interface RunPredictions {
  readonly seed: number;
  /** Predicted class of each image. */
  readonly classes: readonly number[];
  /** Probability of the predicted class. */
  readonly confidences: readonly number[];
}

/** One side: a model, or a run. */
export interface SidePredictions {
  readonly name: string;
  /** One per seed, in the same order as those of the other side. */
  readonly runs: readonly RunPredictions[];
}

/**
 * Compares two sides. The runs of each seed are compared on the same images.
 *
 * @param truths for each seed, the class of each image
 * @param classes names of the classes
 */
export function compareSides(
  sides: readonly [SidePredictions, SidePredictions],
  truths: readonly (readonly number[])[],
  classes: readonly string[],
): SidesFigures {
  const hits = sides.map(({ runs }) => runs.map((run, n) => hitsOf(run, truths[n]!))) as [Hits[], Hits[]];
  const accuracies = hits.map((runs) => runs.map(shareOf)) as [number[], number[]];
  const pairs = sides[0].runs.map(({ seed }, i): SidePair => {
    const { difference, interval, onlyFirst, onlySecond, p } = comparePaired(hits[0][i]!, hits[1][i]!, seed);
    const [first, second] = [accuracies[0][i]!, accuracies[1][i]!];
    return { seed, accuracies: [first, second], difference, interval, onlyFirst, onlySecond, p };
  });
  const differences = pairs.map(({ difference }) => difference);
  const needed = pairsNeeded(differences);
  const figures = {
    names: [sides[0].name, sides[1].name] as const,
    images: truths[0]!.length,
    means: [meanInterval(accuracies[0]), meanInterval(accuracies[1])] as const,
    difference: meanInterval(differences),
    pairs,
    ...(needed !== undefined && { needed }),
    classes: classes.flatMap((label, c) => byClass(label, c, hits, truths)),
  };
  return { ...figures, sentence: conclude(figures) };
}

/** The conclusion, in words. */
export function conclude({
  names: [first, second],
  difference,
  pairs,
  needed,
}: Omit<SidesFigures, "sentence" | "classes">): string {
  const [better, worse] = difference.mean >= 0 ? [second, first] : [first, second];
  const points = `${(100 * Math.abs(difference.mean)).toFixed(2)} points`;
  if (pairs.length === 1) {
    const { p } = pairs[0]!;
    if (difference.mean === 0) return `${first} and ${second} classify equally many test images correctly.`;
    const told =
      p < 0.05 ? "more than chance explains on these images" : "which chance explains on these images";
    return `${better} is ${points} above ${worse} on the test images, ${told} (McNemar’s test: p ${formatP(p)}). One run of each does not say what other seeds would give.`;
  }
  const { low, high, mean: middle } = difference;
  const range = (middle >= 0 ? [low, high] : [-high, -low]).map((value) =>
    (100 * value).toFixed(2).replace("-", "−"),
  );
  const mean = `Over ${pairs.length} seeds, ${better} is ${points} above ${worse} on average (95 % interval ${range.join(" to ")})`;
  if (low > 0 || high < 0) return `${mean}: more than chance explains.`;
  const more =
    needed === undefined
      ? ""
      : ` To tell a difference as large from chance in four of five experiments, ${needed} seeds of each would be needed.`;
  return `${mean}: not told from chance.${more}`;
}

/** The confusion matrix of a side, summed over its runs: [true][predicted]. */
export function confusionOf(
  { runs }: SidePredictions,
  truths: readonly (readonly number[])[],
  classes: number,
): readonly (readonly number[])[] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const [n, run] of runs.entries()) {
    for (const [i, truth] of truths[n]!.entries()) counts[truth]![run.classes[i]!]! += 1;
  }
  return counts;
}

/** Images that a run gets wrong, most confident first. */
export function hardestMistakes(run: RunPredictions, truths: readonly number[], count: number): number[] {
  return truths
    .map((_, i) => i)
    .filter((i) => run.classes[i] !== truths[i])
    .sort((a, b) => run.confidences[b]! - run.confidences[a]!)
    .slice(0, count);
}

const hitsOf = ({ classes }: RunPredictions, truths: readonly number[]): Hits =>
  truths.map((truth, i) => classes[i] === truth);

function shareOf(hits: Hits): number {
  return hits.filter(Boolean).length / hits.length;
}

function byClass(
  label: string,
  c: number,
  hits: readonly [readonly Hits[], readonly Hits[]],
  truths: readonly (readonly number[])[],
): SharedClass[] {
  const ofClass = truths.map((each) => each.filter((truth) => truth === c).length);
  const images = Math.round(meanOf(ofClass));
  if (images === 0) return [];
  const shares = hits.map((runs) => {
    const right = runs.map((run, n) => run.filter((hit, i) => hit && truths[n]![i] === c).length);
    const share = meanOf(right) / meanOf(ofClass);
    return { share, ...wilsonInterval(share * images, images) };
  });
  return [{ label, images, shares: [shares[0]!, shares[1]!] }];
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
