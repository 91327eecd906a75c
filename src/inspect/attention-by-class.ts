import type { ClassAttention } from "../report/index.js";
import { permutationTest } from "../statistics/permutation-test.js";
import { type LayerReading, weightsOf } from "./attention.js";

/**
 * Mean attention per class, and whether classes differ significantly.
 *
 * @param truths class of each image of the reading; images of unknown class are ignored
 * @param classes in output order
 * @param seed of the permutation test
 * @returns `undefined` if fewer than two classes have images
 */
export function attentionByClass(
  reading: LayerReading,
  truths: readonly (string | undefined)[],
  classes: readonly string[],
  seed: number,
): ClassAttention | undefined {
  const { name, samples, mean } = reading;
  const known = samples.flatMap((_, i) => {
    const group = classes.indexOf(truths[i] ?? "");
    return group < 0 ? [] : [{ group, weights: weightsOf(reading, i) }];
  });
  const shown = classes
    .map((label, group) => ({ label, rows: known.filter((image) => image.group === group) }))
    .filter(({ rows }) => rows.length > 0);
  if (shown.length < 2) return undefined;
  const { between, p } = permutationTest(
    known.map(({ weights }) => weights),
    known.map(({ group }) => group),
    seed,
  );
  return {
    ...{ name, mean, between, p },
    classes: shown.map(({ label, rows }) => ({
      label,
      images: rows.length,
      mean: mean.map((_, k) => rows.reduce((sum, { weights }) => sum + weights[k]!, 0) / rows.length),
    })),
  };
}
