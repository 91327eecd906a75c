import type { TopLevelSpec } from "vega-lite";
import type { FigureSpec } from "../drawing/figure-spec.js";
import { runColour, WRONG_COLOUR } from "../drawing/palette.js";
import { FIGURE_STYLE, titleAtEdge } from "../drawing/style.js";
import { printable, shorten } from "../text/printable.js";
import { barsOf, layoutOf, type RowLayout, textsOf } from "./attention-rows.js";
import { type PlacedText, pixels, textLayer } from "./hand-laid.js";

/** How one dynamic layer distributes its attention over its experts. */
export interface LayerAttention {
  /** Name of the attention: the module, such as `features.8`, and its kind if it has several. */
  readonly name: string;
  /** How it was computed: weights that sum to 1, a gate per expert, or neither. Defaults to `"softmax"`. */
  readonly activation?: "softmax" | "sigmoid" | "other";
  /** Mean attention of each expert over the images, [experts]. */
  readonly mean: readonly number[];
  /** Mean entropy of the attention per image, relative to its maximum: 1 is uniform, 0 one-hot. */
  readonly entropy: number;
}

/** Options of {@link attentionSpec}. */
export interface AttentionFigureOptions {
  /** Whether it is for a phone. Defaults to false. */
  readonly narrow?: boolean;
}

/** Largest length of a layer's name in letters, and the width of a letter in pixels. */
const NAME_LETTERS = 24;
const LETTER_WIDTH = 6.3;
/** Margins around the rows, in pixels. The numbers are on the right. */
const MARGINS = { top: 92, bottom: 12, gap: 24, right: 84 };

/**
 * Figure of the attention: a row per layer, a bar per expert, in order. For a softmax, a line across the bars
 * marks even shares; gates of a sigmoid, which have no fixed sum, are drawn from 0 to 1. The entropy is on
 * the right: near 1, the routing never left uniform; at 0, it is stuck at one expert.
 *
 * @returns a Vega-Lite specification, for files and pages
 */
export function attentionSpec(
  layers: readonly LayerAttention[],
  { narrow = false }: AttentionFigureOptions = {},
): FigureSpec {
  const width = narrow ? 160 : 400;
  const rows = layers.map((layer, index) => layoutOf(layer, index, width));
  const height = rows.at(-1)?.bottom ?? 0;
  const names = layers.map(({ name }) => shorten(printable(name), NAME_LETTERS));
  const left = Math.max(0, ...names.map((name) => name.length)) * LETTER_WIDTH + MARGINS.gap;
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: describe(layers),
    title: {
      text: "Attention",
      ...titleAtEdge(left),
      subtitle: narrow
        ? ["mean of each expert, in order;", "dotted: even sharing; entropy", "at the right, 1 is uniform"]
        : [
            "mean of each expert, in order; the dotted line is even sharing",
            "entropy at the right, 1 is uniform",
          ],
    },
    width,
    height,
    autosize: "none",
    padding: { top: MARGINS.top, bottom: MARGINS.bottom, left, right: MARGINS.right },
    config: FIGURE_STYLE,
    encoding: { x: pixels("x", [0, width]), y: pixels("y", [height, 0]) },
    layer: [
      {
        data: { values: rows.flatMap(barsOf) },
        mark: { type: "rect" },
        encoding: {
          x2: { field: "x2" },
          y2: { field: "y2" },
          color: {
            condition: { test: "datum.unused", value: WRONG_COLOUR.light },
            value: runColour(0),
          },
        },
      },
      {
        data: { values: rows.flatMap(({ even }) => even) },
        mark: { type: "rule", strokeDash: [2, 3], color: "currentColor", opacity: 0.45 },
        encoding: { x2: { field: "x2" } },
      },
      textLayer(rows.flatMap(textsOf), { align: "center" }),
      textLayer(
        rows.map(({ middle }, i) => ({ x: 0, y: middle, text: names[i]! })),
        { align: "right", dx: -12 },
      ),
      textLayer(
        rows.map(({ middle, layer }) => ({ x: width, y: middle, text: layer.entropy.toFixed(2) })),
        { align: "left", dx: 12 },
      ),
      textLayer(rows.flatMap(unusedNote(width)), { align: "left", color: WRONG_COLOUR.light, dx: 12 }),
    ],
  } satisfies TopLevelSpec;
}

function unusedNote(width: number) {
  return ({ middle, unused }: RowLayout): PlacedText[] =>
    unused.length === 0 ? [] : [{ x: width, y: middle + 14, text: `${unused.length} unused` }];
}

function describe(layers: readonly LayerAttention[]): string {
  const rows = layers.map(({ name, mean, entropy }) => {
    const values = mean.map((value) => value.toFixed(2)).join(", ");
    return `${name}: ${values}; entropy ${entropy.toFixed(2)}`;
  });
  return `Mean attention of each expert. ${rows.join(". ")}.`;
}
