import type { TopLevelSpec } from "vega-lite";
import type { FigureSpec } from "../drawing/figure-spec.js";
import { runColour, STRONGEST_BEHIND_INK } from "../drawing/palette.js";
import { FIGURE_STYLE, titleAtEdge } from "../drawing/style.js";
import { printable, shorten } from "../text/printable.js";
import { cellLayer, pixels, textLayer } from "./hand-laid.js";

/** A confusion matrix: predictions for the images of each class. */
export interface Confusion {
  /** Name of the model, for the title. */
  readonly name: string;
  readonly classes: readonly string[];
  /** Number of images by true class, then by predicted class, summed over runs. */
  readonly counts: readonly (readonly number[])[];
}

/** Sizes in pixels. */
const SIZES = {
  wide: { cell: 30, left: 118, top: 150, letters: 16, font: 11 },
  narrow: { cell: 19, left: 84, top: 130, letters: 11, font: 9 },
};
const MARGINS = { bottom: 12, right: 60 };
/** Number of classes to draw: those with the most mistakes. */
const MOST_CLASSES = 20;
/** Smallest share to write into its cell, in percent. */
const WRITTEN = 0.5;

/**
 * Figure of a confusion matrix: a row per true class, a column per predicted class, with shares of the row in
 * percent. Blue is right, brown is wrong.
 *
 * @returns a Vega-Lite specification, for files and pages
 */
export function confusionSpec(
  { name, classes, counts }: Confusion,
  { narrow = false }: { readonly narrow?: boolean } = {},
): FigureSpec {
  const { cell, left, top, letters, font } = narrow ? SIZES.narrow : SIZES.wide;
  const shown = mostMistaken(counts);
  const extent = shown.length * cell;
  const label = (c: number) => shorten(printable(classes[c]!), letters);
  const cells = shown.flatMap((truth, row) => {
    const images = counts[truth]!.reduce((sum, count) => sum + count, 0) || 1;
    return shown.map((prediction, column) => ({
      x: column * cell + 0.5,
      x2: (column + 1) * cell - 0.5,
      y: row * cell + 0.5,
      y2: (row + 1) * cell - 0.5,
      share: counts[truth]![prediction]! / images,
      right: truth === prediction,
    }));
  });
  const numbers = cells
    .filter(({ share }) => 100 * share >= WRITTEN)
    .map(({ x, x2, y, y2, share }) => ({ x: (x + x2) / 2, y: (y + y2) / 2, text: (100 * share).toFixed(0) }));
  const few = shown.length < classes.length ? ` (the ${shown.length} classes with most mistakes)` : "";
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: `Confusion matrix of ${name}: rows are true classes, columns predicted ones${few}. ${shown
      .map((c) => `${classes[c]}: ${rightShare(counts[c]!, c)}`)
      .join(", ")}.`,
    title: {
      text: `Confusion of ${shorten(printable(name), narrow ? 20 : 40)}`,
      ...titleAtEdge(left),
      subtitle: narrow
        ? ["rows: true class; columns: predicted;", "percent of the row"]
        : [`rows are true classes, columns predicted ones; percent of the row${few}`],
    },
    width: extent,
    height: extent,
    autosize: "none",
    padding: { ...MARGINS, left, top },
    config: FIGURE_STYLE,
    encoding: { x: pixels("x", [0, extent]), y: pixels("y", [extent, 0]) },
    layer: [
      cellLayer(cells, {
        strength: "share",
        opacity: [0.04, STRONGEST_BEHIND_INK],
        test: "!datum.right",
        colours: [runColour(0), runColour(1)],
      }),
      {
        data: { values: numbers },
        mark: { type: "text", baseline: "middle", align: "center", fontSize: font, color: "currentColor" },
        encoding: { text: { field: "text" } },
      },
      textLayer(
        shown.map((c, row) => ({ x: -8, y: (row + 0.5) * cell, text: label(c) })),
        { align: "right" },
      ),
      {
        data: { values: shown.map((c, column) => ({ x: (column + 0.5) * cell, y: -8, text: label(c) })) },
        mark: {
          type: "text",
          ...{ baseline: "middle", align: "left", angle: 310, fontSize: 11, color: "currentColor" },
        },
        encoding: { text: { field: "text" } },
      },
    ],
  } satisfies TopLevelSpec;
}

/** The classes to draw, in their original order. */
function mostMistaken(counts: Confusion["counts"]): number[] {
  const mistakes = counts.map(
    (row, c) =>
      row.reduce((sum, count) => sum + count, 0) +
      counts.reduce((sum, other) => sum + other[c]!, 0) -
      2 * row[c]!,
  );
  return mistakes
    .map((_, c) => c)
    .sort((a, b) => mistakes[b]! - mistakes[a]!)
    .slice(0, MOST_CLASSES)
    .sort((a, b) => a - b);
}

/** Share of a class's images that were predicted correctly. */
function rightShare(row: readonly number[], c: number): string {
  const images = row.reduce((sum, count) => sum + count, 0);
  return images === 0 ? "no images" : `${((100 * row[c]!) / images).toFixed(0)} % right`;
}
