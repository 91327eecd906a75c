/** Wording of ablations of the attention. */

/** Description of each replacement. */
export const REPLACED_BY = {
  uniform: "uniform weights",
  mean: "the mean of the data",
  "another-image": "another image's",
  strongest: "the strongest expert",
} as const;

/** Conclusion of an ablation. */
export const ABLATION_VERDICTS = {
  matters:
    "The attention matters: with the mean attention, or another image's, accuracy falls by more than chance explains.",
  "does-not-matter":
    "The attention does not matter: with the mean attention, or another image's, accuracy stays within 1 point. What the network gains over a static one is parameters, not attention.",
  undecided: "These images cannot tell whether the attention matters: take more of them, or train further.",
} as const;

/** Formats a difference of shares in percentage points, signed. */
export function formatPoints(difference: number): string {
  const rounded = (100 * difference).toFixed(2);
  return difference > 0 ? `+${rounded}` : rounded.replace("-", "−");
}

/** Formats an interval of a difference in percentage points. */
export function formatPointsInterval({ low, high }: { readonly low: number; readonly high: number }): string {
  return `${formatPoints(low)} to ${formatPoints(high)}`;
}

/** Formats a p-value. */
export function formatP(p: number): string {
  return p < 0.001 ? "<0.001" : p.toFixed(3);
}
