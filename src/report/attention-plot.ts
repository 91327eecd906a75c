import type { TopLevelSpec } from "vega-lite";
import type { FigureSpec } from "./figure-spec.js";
import { FIGURE_STYLE } from "./figure-style.js";
import { runColour } from "./palette.js";

/** How one dynamic layer spreads its attention over its experts. */
export interface LayerAttention {
  /** Name of the module, such as `features.8`. */
  readonly name: string;
  /** Mean attention of each expert over the images, [experts]; drawn in parts of their sum. */
  readonly mean: readonly number[];
  /** Mean entropy of an image's attention, in parts of its maximum: 1 is uniform, 0 one-hot. */
  readonly entropy: number;
}

/**
 * The figure of attention: a bar a layer, divided among its experts, with the entropy beside it. Equal
 * parts and an entropy of 1 show a routing that never left uniform; an entropy of 0, one that is stuck.
 *
 * @returns a Vega-Lite specification, for files and pages alike.
 */
export function attentionSpec(layers: readonly LayerAttention[]): FigureSpec {
  const experts = Array.from(
    { length: Math.max(1, ...layers.map(({ mean }) => mean.length)) },
    (_, k) => k + 1,
  );
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: `Mean attention of each expert, and entropy, of ${layers.map(({ name }) => name).join(", ")}.`,
    title: {
      text: "Attention",
      subtitle: "mean share of each expert, in order; entropy at the right, 1 is uniform",
    },
    width: 480,
    height: { step: 26 },
    config: { ...FIGURE_STYLE, axis: { ...FIGURE_STYLE.axis, domain: false, ticks: false, grid: false } },
    encoding: { y: { field: "name", type: "nominal", sort: null, title: null, axis: { labelLimit: 260 } } },
    layer: [
      {
        data: {
          values: layers.flatMap(({ name, mean }) =>
            mean.map((share, k) => ({ name, share, expert: k + 1 })),
          ),
        },
        mark: { type: "bar", height: 16 },
        encoding: {
          x: {
            field: "share",
            type: "quantitative",
            stack: "normalize",
            title: null,
            axis: { format: "%", tickCount: 4 },
          },
          order: { field: "expert" },
          color: {
            field: "expert",
            type: "ordinal",
            scale: { domain: experts, range: experts.map((_, k) => runColour(k)) },
            legend: null,
          },
        },
      },
      {
        data: { values: layers.map(({ name, entropy }) => ({ name, text: entropy.toFixed(2) })) },
        mark: { type: "text", align: "left", dx: 8, fontSize: 11, color: "currentColor" },
        encoding: { x: { value: "width" }, text: { field: "text" } },
      },
    ],
  } satisfies TopLevelSpec;
}
