import type { TopLevelSpec } from "vega-lite";
import type { FigureSpec } from "../drawing/figure-spec.js";
import { runColour } from "../drawing/palette.js";
import { FIGURE_STYLE, titleAtEdge } from "../drawing/style.js";
import { printable, shorten } from "../text/printable.js";
import { cellLayer, pixels, textLayer } from "./hand-laid.js";

/** Some slices of the kernels that a layer mixed for images. */
export interface MixedKernels {
  /** Path of the layer. */
  readonly name: string;
  /** Height and width of a kernel. */
  readonly height: number;
  readonly width: number;
  /** Mean over the images: [slices][height · width]. */
  readonly mean: readonly (readonly number[])[];
  /** Per image: [images][slices][height · width]. */
  readonly images: readonly (readonly (readonly number[])[])[];
}

/** Sizes in pixels: a slice, the space after it, and the margin. */
const SLICE = 30;
const PITCH = 36;
const MARGINS = { top: 98, bottom: 14, left: 130, right: 20 };
const LABEL_LETTERS = 18;

/**
 * Figure of a layer's mixed kernels: a row of slices for their mean over the images, then for each image how
 * its kernels differ from it. Blue is positive, brown negative; strong colours are large values.
 *
 * @param labels name of each image
 * @returns a Vega-Lite specification, for files and pages
 */
export function mixedKernelsSpec(kernels: MixedKernels, labels: readonly string[]): FigureSpec {
  const { name, mean, images } = kernels;
  const differences = images.map((slices) =>
    slices.map((slice, n) => slice.map((value, i) => value - mean[n]![i]!)),
  );
  const [largest, largestDifference] = [mean, differences.flat()].map((rows) =>
    Math.max(...rows.flat().map(Math.abs)),
  );
  const cells = [
    ...cellsOf(mean, 0, largest!, kernels),
    ...differences.flatMap((slices, row) => cellsOf(slices, row + 1, largestDifference!, kernels)),
  ];
  const width = mean.length * PITCH;
  const height = (1 + images.length) * PITCH;
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: `Mixed kernels of ${name}: their mean over the images, and what each image's differ by.`,
    title: {
      text: `Mixed kernels of ${shorten(printable(name), 32)}`,
      ...titleAtEdge(MARGINS.left),
      subtitle: [
        "the slices that differ most: their mean, then what each image's differ by",
        `full colour is ±${largest!.toPrecision(2)} in the mean, ±${largestDifference!.toPrecision(2)} in the others`,
        "blue is positive, brown negative",
      ],
    },
    width,
    height,
    autosize: "none",
    padding: MARGINS,
    config: FIGURE_STYLE,
    encoding: { x: pixels("x", [0, width]), y: pixels("y", [height, 0]) },
    layer: [
      cellLayer(cells, {
        strength: "strength",
        opacity: [0.03, 1],
        test: "datum.value < 0",
        colours: [runColour(0), runColour(1)],
      }),
      textLayer(
        ["mean", ...labels].map((label, row) => ({
          x: -10,
          y: row * PITCH + SLICE / 2,
          text: shorten(printable(label), LABEL_LETTERS),
        })),
        { align: "right" },
      ),
    ],
  } satisfies TopLevelSpec;
}

/** A rectangle per number in a row of slices. */
function cellsOf(
  slices: readonly (readonly number[])[],
  row: number,
  largest: number,
  { height, width }: MixedKernels,
) {
  const [tall, wide] = [SLICE / height, SLICE / width];
  return slices.flatMap((slice, n) =>
    slice.map((value, i) => {
      const [x, y] = [n * PITCH + (i % width) * wide, row * PITCH + Math.floor(i / width) * tall];
      return { x, x2: x + wide, y, y2: y + tall, value, strength: Math.abs(value) / (largest || 1) };
    }),
  );
}
