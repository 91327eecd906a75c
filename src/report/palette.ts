/**
 * Colours of runs, in order: Okabe and Ito's, which people with any colour vision tell apart, without
 * the yellow that white paper swallows.
 */
export const RUN_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"] as const;

/** The colour of what went wrong; something besides colour has to say so too. */
export const WRONG_COLOUR = "#c2410c";

/** The colour of a run by its place; they repeat after the last. */
export function runColour(index: number): string {
  return RUN_COLOURS[index % RUN_COLOURS.length]!;
}
