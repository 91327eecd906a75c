/** A colour on white paper, and its counterpart on a dark page. */
export interface ColourPair {
  readonly light: string;
  readonly dark: string;
}

/** Paper and ink of every page and picture. */
export const PAPER: ColourPair = { light: "#fdfdfb", dark: "#191918" };
export const INK: ColourPair = { light: "#1a1a1a", dark: "#e6e4df" };

/**
 * Colours of runs, in order. For small text, each has the contrast with its paper that WCAG 2.2 AA requires
 * (4.5 : 1), and any two can be told apart with any colour vision; test/report/palette.test.ts measures both.
 */
export const RUN_COLOURS: readonly ColourPair[] = [
  { light: "#0072b2", dark: "#5ab4f0" },
  { light: "#933200", dark: "#f24107" },
  { light: "#096150", dark: "#71fab0" },
  { light: "#c11588", dark: "#b26d92" },
  { light: "#1802a5", dark: "#cad4fe" },
  { light: "#926e24", dark: "#edc32b" },
  { light: "#442056", dark: "#9864ff" },
  { light: "#620c01", dark: "#fc898a" },
];

/** The colour of errors. Something other than colour has to mark them too. */
export const WRONG_COLOUR: ColourPair = { light: "#c2410c", dark: "#ff8a5c" };

/** Opacity of the strongest cell with a number on it: ink keeps 4.5 : 1 on the first two colours of runs. */
export const STRONGEST_BEHIND_INK = 0.5;

/** Every colour used in drawings, besides ink. */
export const COLOURS: readonly ColourPair[] = [...RUN_COLOURS, WRONG_COLOUR];

/**
 * The colour of a run by its index, on light paper; `DARK_RULES` convert it. Colours repeat after the last.
 */
export function runColour(index: number): string {
  return RUN_COLOURS[index % RUN_COLOURS.length]!.light;
}

/** CSS rules that convert drawings on light paper to dark ones. */
export const DARK_RULES = COLOURS.map(
  ({ light, dark }) =>
    `svg [stroke="${light}"] { stroke: ${dark}; } svg [fill="${light}"] { fill: ${dark}; }`,
).join("\n");
