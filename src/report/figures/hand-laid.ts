/** Parts of figures that are laid out in pixels rather than by scales. */

/** An axis whose values are pixels of the figure. */
export function pixels(field: string, domain: [number, number]) {
  return { field, type: "quantitative", axis: null, scale: { domain, nice: false, zero: false } } as const;
}

/** How the strength of a cell shows. */
export interface CellStyle {
  /** Field of the strength, 0 to 1. */
  readonly strength: "share" | "strength";
  /** Opacity of the weakest and of the strongest cell. */
  readonly opacity: readonly [number, number];
  /** The test, on `datum`, of cells in the colour `other`; none by default. */
  readonly test?: string;
  /** Colour of the cells, and of those that pass the test. */
  readonly colours: readonly [cell: string, other?: string];
}

/** Rectangles from x, y to x2, y2, filled as strongly as they say. */
export function cellLayer<Cell extends object>(
  values: readonly Cell[],
  { strength, opacity, test, colours: [colour, other] }: CellStyle,
) {
  const fill = test === undefined ? { value: colour } : { condition: { test, value: other }, value: colour };
  return {
    data: { values: [...values] },
    mark: { type: "rect" },
    encoding: {
      x2: { field: "x2" },
      y2: { field: "y2" },
      fill,
      fillOpacity: {
        field: strength,
        type: "quantitative",
        scale: { domain: [0, 1], range: [...opacity] },
        legend: null,
      },
    },
  } as const;
}

/** A text and where it stands, in pixels from the top left. */
export interface PlacedText {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

/** How the texts of a layer look. */
export interface TextStyle {
  readonly align: "left" | "center" | "right";
  /** The ink of the page by default. */
  readonly color?: string;
  /** Pixels to the right. */
  readonly dx?: number;
  readonly fontWeight?: "normal" | "bold";
}

/** Texts in their places. */
export function textLayer(values: readonly PlacedText[], style: TextStyle) {
  return {
    data: { values: [...values] },
    mark: { type: "text", baseline: "middle", fontSize: 11, color: "currentColor", ...style },
    encoding: { text: { field: "text" } },
  } as const;
}
