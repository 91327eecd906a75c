/** Parts of figures that are laid out in pixels instead of with scales. */

/** An axis in pixels of the figure. */
export function pixels(field: string, domain: [number, number]) {
  return { field, type: "quantitative", axis: null, scale: { domain, nice: false, zero: false } } as const;
}

/** How the strength of a cell is shown. */
export interface CellStyle {
  /** Field of the strength, 0 to 1. */
  readonly strength: "share" | "strength";
  /** Opacity of the weakest and of the strongest cell. */
  readonly opacity: readonly [number, number];
  /** Test, on `datum`, for cells in the colour `other`. Defaults to none. */
  readonly test?: string;
  /** Colour of the cells, and of those that pass the test. */
  readonly colours: readonly [cell: string, other?: string];
}

/** Rectangles from x, y to x2, y2, filled according to their strength. */
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

/** A text and its position, in pixels from the top left. */
export interface PlacedText {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

/** Style of the texts in a layer. */
export interface TextStyle {
  readonly align: "left" | "center" | "right";
  /** Defaults to the ink of the page. */
  readonly color?: string;
  /** Offset to the right, in pixels. */
  readonly dx?: number;
  readonly fontWeight?: "normal" | "bold";
}

/** Texts at their positions. */
export function textLayer(values: readonly PlacedText[], style: TextStyle) {
  return {
    data: { values: [...values] },
    mark: { type: "text", baseline: "middle", fontSize: 11, color: "currentColor", ...style },
    encoding: { text: { field: "text" } },
  } as const;
}
