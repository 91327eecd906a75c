import type { TopLevelSpec } from "vega-lite";
import type { FigureSpec } from "../drawing/figure-spec.js";
import { runColour, WRONG_COLOUR } from "../drawing/palette.js";
import { FIGURE_STYLE, titleAtEdge } from "../drawing/style.js";
import { printable, shorten } from "../text/printable.js";
import { cellLayer, pixels, textLayer } from "./hand-laid.js";

/** How a layer used its experts, epoch by epoch. */
export interface LayerUse {
  /** Name of the attention: the module, and its kind if it is not the usual one. */
  readonly name: string;
  readonly epochs: readonly {
    /** From 1. */
    readonly epoch: number;
    /** Share of each expert, [experts]; they sum to 1. */
    readonly use: readonly number[];
  }[];
  /** Indices of experts that are unused in the last epoch. */
  readonly unused: readonly number[];
}

/** Sizes in pixels. */
const WIDTH = { wide: 480, narrow: 170 };
const ROW = 13;
const HEAD = 26;
const BETWEEN = 14;
const MARGINS = { top: 86, bottom: 14, left: 40, right: 92 };
/** Largest number of layers, experts per layer and epochs to draw. */
const MOST_LAYERS = 12;
const MOST_EXPERTS = 16;
const MOST_EPOCHS = 60;
/** A share of this many times an even one has the full colour. */
const FULL = 2;

interface Block {
  readonly layer: LayerUse;
  /** Indices of the experts to draw. */
  readonly experts: readonly number[];
  readonly top: number;
}

/**
 * Figure of the experts' use: a block per layer, a row per expert, epochs from left to right. The stronger a
 * cell, the larger the expert's share. If there are too many layers, those with the least used experts are
 * drawn; if there are too many experts, the least used.
 *
 * @returns a Vega-Lite specification, for files and pages
 */
export function expertUseSpec(
  layers: readonly LayerUse[],
  { narrow = false }: { readonly narrow?: boolean } = {},
): FigureSpec {
  const width = narrow ? WIDTH.narrow : WIDTH.wide;
  const blocks = place(layers);
  const last = blocks.at(-1);
  const height = last === undefined ? 0 : last.top + last.experts.length * ROW;
  const rows = blocks.flatMap(rowsOf);
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: describe(layers),
    title: {
      text: "Use of the experts",
      ...titleAtEdge(MARGINS.left),
      subtitle: [
        ...(narrow
          ? ["a row for each expert, epochs from", "left to right; at the right the share"]
          : ["a row for each expert, epochs from left to right; at the right the share in the last"]),
        ...(blocks.length < layers.length
          ? [`the ${blocks.length} least evenly used of ${layers.length} layers`]
          : []),
      ],
    },
    width,
    height,
    autosize: "none",
    padding: MARGINS,
    config: FIGURE_STYLE,
    encoding: { x: pixels("x", [0, width]), y: pixels("y", [height, 0]) },
    layer: [
      cellLayer(
        blocks.flatMap((block) => cellsOf(block, width)),
        { strength: "strength", opacity: [0.03, 1], colours: [runColour(0)] },
      ),
      textLayer(
        rows.map(({ y, expert }) => ({ x: -8, y, text: String(expert + 1) })),
        { align: "right" },
      ),
      textLayer(
        rows.filter(({ unused }) => !unused).map(({ y, share }) => ({ x: width + 8, y, text: share })),
        { align: "left" },
      ),
      textLayer(
        rows
          .filter(({ unused }) => unused)
          .map(({ y, share }) => ({ x: width + 8, y, text: `${share} unused` })),
        { align: "left", color: WRONG_COLOUR.light },
      ),
      textLayer(
        blocks.map((block) => ({ x: 0, y: block.top - 11, text: headOf(block) })),
        { align: "left", fontWeight: "bold" },
      ),
    ],
  } satisfies TopLevelSpec;
}

const lastOf = ({ epochs }: LayerUse) => epochs.at(-1)?.use ?? [];

function place(layers: readonly LayerUse[]): readonly Block[] {
  const evenness = (layer: LayerUse) => Math.min(...lastOf(layer)) * lastOf(layer).length;
  const chosen = new Set(layers.toSorted((a, b) => evenness(a) - evenness(b)).slice(0, MOST_LAYERS));
  let bottom = 0;
  return layers
    .filter((layer) => chosen.has(layer))
    .map((layer, i) => {
      const use = lastOf(layer);
      const least = use.map((_, k) => k).sort((a, b) => use[a]! - use[b]!);
      const experts = least.slice(0, MOST_EXPERTS).sort((a, b) => a - b);
      const top = bottom + (i > 0 ? BETWEEN : 0) + HEAD;
      bottom = top + experts.length * ROW;
      return { layer, experts, top };
    });
}

function cellsOf({ layer, experts, top }: Block, width: number) {
  const { epochs } = layer;
  const columns = Math.min(MOST_EPOCHS, epochs.length);
  const step = width / columns;
  return Array.from({ length: columns }, (_, c) => {
    const { use } = epochs[columns < 2 ? 0 : Math.round((c * (epochs.length - 1)) / (columns - 1))]!;
    return experts.map((k, row) => ({
      x: c * step,
      x2: (c + 1) * step,
      y: top + row * ROW + 0.5,
      y2: top + (row + 1) * ROW - 0.5,
      strength: Math.min(1, (use[k]! * use.length) / FULL),
    }));
  }).flat();
}

function rowsOf({ layer, experts, top }: Block) {
  const use = lastOf(layer);
  return experts.map((expert, row) => ({
    expert,
    y: top + (row + 0.5) * ROW,
    share: `${(100 * use[expert]!).toFixed(use[expert]! < 0.1 ? 1 : 0)} %`,
    unused: layer.unused.includes(expert),
  }));
}

function headOf({ layer, experts }: Block): string {
  const all = lastOf(layer).length;
  const few = experts.length < all ? `: the ${experts.length} least used of ${all}` : "";
  return `${shorten(printable(layer.name), 24)}${few}`;
}

function describe(layers: readonly LayerUse[]): string {
  const rows = layers.map((layer) => {
    const shares = lastOf(layer).map((share) => `${(100 * share).toFixed(0)} %`);
    return `${layer.name}: ${shares.join(", ")}`;
  });
  return `Share of each expert in the last epoch. ${rows.join(". ")}.`;
}
