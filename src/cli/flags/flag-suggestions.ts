import { distance } from "fastest-levenshtein";

/** Names of an option in other programs, by its name here. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  lr: ["learning-rate", "base-lr", "lr-base"],
  "batch-size": ["bs", "b"],
  data: ["dataset", "data-dir", "data-path", "train-dir"],
  device: ["gpu", "accelerator", "backend"],
  epochs: ["num-epochs", "max-epochs", "n-epochs"],
  "image-size": ["img-size", "input-size", "resolution"],
  "label-smoothing": ["smoothing"],
  milestones: ["decay-milestones", "lr-steps"],
  optimizer: ["opt", "optim"],
  out: ["output", "output-dir", "save-dir", "log-dir"],
  resume: ["continue"],
  schedule: ["sched", "scheduler", "lr-scheduler"],
  threads: ["workers", "num-workers", "num-threads", "jobs"],
  "val-split": ["validation-split", "val-fraction"],
  "warm-up": ["warmup-epochs", "lr-warmup-epochs"],
  "weight-decay": ["wd", "l2"],
  init: ["pretrained", "weights", "initial-checkpoint"],
};

const plain = (flag: string) => flag.replace(/^--?/, "").toLowerCase();
const letters = (flag: string) => plain(flag).replace(/[-_]/g, "");
const initials = (flag: string) =>
  plain(flag)
    .split(/[-_]/)
    .map((word) => word[0] ?? "")
    .join("");

/**
 * The flag that was most likely meant: another spelling, another program's name for it, initials, a prefix,
 * or a few letters off.
 *
 * @param known flags of the command, with their dashes
 */
export function meantFlag(flag: string, known: readonly string[]): string | undefined {
  const given = plain(flag).replaceAll("_", "-");
  const named = (name: string) => SYNONYMS[name]?.includes(given) ?? false;
  const near = known
    .map((candidate) => ({ candidate, steps: distance(letters(flag), letters(candidate)) }))
    .sort((a, b) => a.steps - b.steps)[0];
  return (
    known.find((candidate) => letters(candidate) === letters(flag)) ??
    known.find((candidate) => named(plain(candidate))) ??
    known.find((candidate) => plain(candidate) === initials(flag)) ??
    known.find((candidate) => letters(flag).length >= 3 && letters(candidate).startsWith(letters(flag))) ??
    (near !== undefined && near.steps <= Math.max(1, letters(flag).length / 3) ? near.candidate : undefined)
  );
}

/**
 * Replaces Commander's message for an unknown option by one that suggests the flag that was most likely
 * meant.
 */
export function withMeantFlag(message: string, known: readonly string[]): string {
  const flag = /^error: unknown option '(--?[^'=]+)/.exec(message)?.[1];
  const meant = flag === undefined ? undefined : meantFlag(flag, known);
  return meant === undefined ? message : `error: unknown option '${flag}'\n(Did you mean ${meant}?)\n`;
}
