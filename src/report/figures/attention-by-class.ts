import type { TopLevelSpec } from "vega-lite";
import type { FigureSpec } from "../drawing/figure-spec.js";
import { runColour, STRONGEST_BEHIND_INK } from "../drawing/palette.js";
import { FIGURE_STYLE, titleAtEdge } from "../drawing/style.js";
import { printable, shorten } from "../text/printable.js";
import { cellLayer, pixels, textLayer } from "./hand-laid.js";

/** Attention of a layer, by class. */
export interface ClassAttention {
  /** Name of the attention: the module, and its kind if it has several. */
  readonly name: string;
  /** Mean over all images, [experts]. */
  readonly mean: readonly number[];
  readonly classes: readonly {
    readonly label: string;
    /** Number of images of the class. */
    readonly images: number;
    /** Mean over these images, [experts]. */
    readonly mean: readonly number[];
  }[];
  /** Share of the attention's variance that lies between classes, 0 to 1. */
  readonly between: number;
  /** Probability of a share at least as large if classes do not differ. */
  readonly p: number;
}

/** Sizes in pixels. */
const WIDTH = { wide: 400, narrow: 180 };
const ROW = 18;
const WIDEST = 48;
const HEAD = 30;
const BETWEEN = 18;
const MARGINS = { top: 84, bottom: 12, right: 20 };
const LEFT = { wide: 150, narrow: 98 };
/** Smallest width of a cell with room for its number, in pixels. */
const ROOM_FOR_NUMBER = 34;
/** Number of classes to draw per layer: those that differ most. */
const MOST_CLASSES = 20;
const LABEL_LETTERS = { wide: 21, narrow: 13 };

interface Cell {
  readonly x: number;
  readonly x2: number;
  readonly y: number;
  readonly y2: number;
  /** Difference from the mean weight over all classes. */
  readonly difference: number;
  /** Size of the difference relative to the largest in the layer. */
  readonly strength: number;
}

/**
 * Figure of the attention by class: a block per layer, a row per class, a cell per expert in order. The
 * colour shows whether the class weights the expert more or less than all images do, and its strength by how
 * much.
 *
 * @returns a Vega-Lite specification, for files and pages
 */
export function attentionByClassSpec(
  layers: readonly ClassAttention[],
  { narrow = false }: { readonly narrow?: boolean } = {},
): FigureSpec {
  const size = narrow ? "narrow" : "wide";
  const [width, left] = [WIDTH[size], LEFT[size]];
  const blocks = place(layers.map(mostDifferent));
  const height = blocks.at(-1)?.bottom ?? 0;
  const cells = blocks.flatMap((block) => cellsOf(block, width));
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: layers.map(describe).join(" "),
    title: {
      text: "Attention by class",
      ...titleAtEdge(left),
      subtitle: narrow
        ? ["weight of each expert, less its mean:", "blue is more, brown is less"]
        : ["weight of each expert, less its mean over all images:", "blue is more, brown is less"],
    },
    width,
    height,
    autosize: "none",
    padding: { ...MARGINS, left },
    config: FIGURE_STYLE,
    encoding: { x: pixels("x", [0, width]), y: pixels("y", [height, 0]) },
    layer: [
      cellLayer(cells, {
        strength: "strength",
        opacity: [0, STRONGEST_BEHIND_INK],
        test: "datum.difference < 0",
        colours: [runColour(0), runColour(1)],
      }),
      textLayer(cells.filter(({ x, x2 }) => x2 - x >= ROOM_FOR_NUMBER).map(numberOf), { align: "center" }),
      textLayer(
        blocks.flatMap(({ layer, top }) =>
          layer.classes.map(({ label }, row) => ({
            x: -8,
            y: top + (row + 0.5) * ROW,
            text: shorten(printable(label), LABEL_LETTERS[size]),
          })),
        ),
        { align: "right" },
      ),
      textLayer(
        blocks.map(({ layer, top }) => ({
          x: -left + 12,
          y: top - 12,
          text: headOf(layer, narrow),
        })),
        { align: "left", fontWeight: "bold" },
      ),
    ],
  } satisfies TopLevelSpec;
}

function mostDifferent(layer: ClassAttention): ClassAttention {
  const distance = ({ mean }: ClassAttention["classes"][number]) =>
    Math.hypot(...mean.map((value, k) => value - layer.mean[k]!));
  const chosen = new Set([...layer.classes].sort((a, b) => distance(b) - distance(a)).slice(0, MOST_CLASSES));
  return { ...layer, classes: layer.classes.filter((each) => chosen.has(each)) };
}

interface Block {
  readonly layer: ClassAttention;
  readonly top: number;
  readonly bottom: number;
}

function place(layers: readonly ClassAttention[]): readonly Block[] {
  let bottom = 0;
  return layers.map((layer, i) => {
    const top = bottom + (i > 0 ? BETWEEN : 0) + HEAD;
    bottom = top + layer.classes.length * ROW;
    return { layer, top, bottom };
  });
}

function cellsOf({ layer, top }: Block, room: number): readonly Cell[] {
  const width = Math.min(WIDEST, room / layer.mean.length);
  const differences = layer.classes.map(({ mean }) => mean.map((value, k) => value - layer.mean[k]!));
  const largest = Math.max(...differences.flat().map(Math.abs)) || 1;
  return differences.flatMap((row, r) =>
    row.map((difference, k) => ({
      x: k * width + 0.5,
      x2: (k + 1) * width - 0.5,
      y: top + r * ROW + 0.5,
      y2: top + (r + 1) * ROW - 0.5,
      difference,
      strength: Math.abs(difference) / largest,
    })),
  );
}

function numberOf({ x, x2, y, y2, difference }: Cell) {
  const sign = difference > 0 ? "+" : "−";
  const digits = Math.abs(difference).toFixed(3).replace(/^0/, "");
  return { x: (x + x2) / 2, y: (y + y2) / 2, text: `${Math.abs(difference) < 5e-4 ? "" : sign}${digits}` };
}

function headOf({ name, between, p }: ClassAttention, narrow = false): string {
  const chance = p < 0.05 ? "classes differ" : "no difference told from chance";
  if (narrow) {
    return `${shorten(printable(name), 18)}: ${p < 0.05 ? "differ" : "chance"} (p ${p.toFixed(3)}, ${(100 * between).toFixed(0)} %)`;
  }
  return `${shorten(printable(name), 24)}: ${chance} (p ${p.toFixed(3)}, ${(100 * between).toFixed(0)} % of variance)`;
}

function describe(layer: ClassAttention): string {
  return `${headOf(layer)}.`;
}
