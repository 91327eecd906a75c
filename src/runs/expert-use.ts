import { z } from "zod";

/** How a dynamic layer used its experts during a validation. */
export interface ExpertUse {
  /** Path of the layer, such as `features.8`. */
  readonly layer: string;
  /** `"kernel"`, or `"cell"` of a warehouse. */
  readonly kind: string;
  /** Mean entropy of the attention per image, relative to its maximum: 1 is uniform, 0 one-hot. */
  readonly entropy: number;
  /**
   * Standard deviation of an expert's share over the images, averaged over experts. 0 if all images get the
   * same mixture.
   */
  readonly spread: number;
  /** Mean share of each expert, [experts]; they sum to 1. */
  readonly use: readonly number[];
}

/** JSON has no NaN or infinity; `null` stands for them. */
const measured = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

/** An entry as `metrics.jsonl` holds it. */
export const expertUseSchema: z.ZodType<ExpertUse> = z.object({
  layer: z.string(),
  kind: z.string(),
  entropy: measured,
  spread: measured,
  use: z.array(measured),
});

/** The epochs in which expert use is recorded. */
export interface UsedEpoch {
  readonly annealed: Readonly<Record<string, number>>;
  /** Absent in early runs, and for networks without experts. */
  readonly experts?: readonly ExpertUse[];
}

/** An expert with less than this fraction of an even share counts as unused. */
export const UNUSED_PART = 0.1;
/**
 * Attention with at least this mean entropy counts as uniform. With two experts, this is shares of 0.52 and
 * 0.48.
 */
export const UNIFORM_ENTROPY = 0.999;
/** Consecutive epochs that show that a state is stable. */
const PATIENCE = 3;
/** Number of experts that a warning names. */
const NAMED = 8;

/** Name of an attention: its layer, with the kind if it is not the usual one. */
export function attentionName({ layer, kind }: Pick<ExpertUse, "layer" | "kind">): string {
  return kind === "kernel" ? layer : `${layer} ${kind}`;
}

/** Indices of experts with next to no share in any mixture. */
export function unusedExperts({ use }: Pick<ExpertUse, "use">): number[] {
  return use.flatMap((share, k) => (share < UNUSED_PART / use.length ? [k] : []));
}

/** A problem with a layer's experts. */
export interface ExpertWarning {
  /** Identifies the problem from epoch to epoch. */
  readonly subject: string;
  readonly sentence: string;
}

/**
 * Warns of unused experts and of attention that is stuck at uniform. Both are normal while annealed scalars,
 * such as the routing temperature, are still changing, and shortly after. So a warning needs three
 * consecutive epochs with the final values, or the last epoch of a finished run.
 *
 * @param epochs in order
 * @param rest final values of the model's annealed scalars, by name
 * @param finished whether the last epoch ends the run
 */
export function expertWarnings(
  epochs: readonly UsedEpoch[],
  rest: Readonly<Record<string, number>>,
  finished: boolean,
): ExpertWarning[] {
  const atRest = ({ annealed }: UsedEpoch) =>
    Object.entries(rest).every(([name, value]) => (annealed[name] ?? value) === value);
  const shown = epochs.slice(finished ? -1 : -PATIENCE);
  if (shown.length < (finished ? 1 : PATIENCE) || !shown.every(atRest)) return [];
  return (shown.at(-1)!.experts ?? []).flatMap((layer) => {
    const name = attentionName(layer);
    const seen = shown.flatMap(({ experts = [] }) => experts.filter((each) => attentionName(each) === name));
    return seen.length < shown.length ? [] : warningsOf(layer, seen);
  });
}

/** @param seen the layer in each of the epochs, including this one as the last */
function warningsOf(layer: ExpertUse, seen: readonly ExpertUse[]): ExpertWarning[] {
  const { use, entropy } = layer;
  if (use.length < 2) return [];
  const name = attentionName(layer);
  const warnings: ExpertWarning[] = [];
  const unused = unusedExperts(layer).filter((k) => seen.every((each) => unusedExperts(each).includes(k)));
  if (unused.length > 0) {
    warnings.push({
      subject: `${name}: unused ${unused.join()}`,
      sentence: `${name}: ${unusedWords(unused, use)}`,
    });
  }
  if (seen.every((each) => each.entropy >= UNIFORM_ENTROPY)) {
    const sentence = `${name}: attention is stuck at uniform (entropy ${entropy.toFixed(4)} of 1): every image gets the same even mixture, as from a static convolution`;
    warnings.push({ subject: `${name}: uniform`, sentence });
  }
  return warnings;
}

function unusedWords(unused: readonly number[], use: readonly number[]): string {
  const even = `an even share is ${percent(1 / use.length)}`;
  if (unused.length === 1) {
    return `nobody uses expert ${unused[0]! + 1} of ${use.length} (${percent(use[unused[0]!]!)} of the attention; ${even})`;
  }
  const named = unused.slice(0, NAMED).map((k) => k + 1);
  const more = unused.length > NAMED ? ", …" : "";
  const most = percent(Math.max(...unused.map((k) => use[k]!)));
  return `nobody uses ${unused.length} of ${use.length} experts: ${named.join(", ")}${more} (at most ${most} of the attention each; ${even})`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 2 : 0)} %`;
}
