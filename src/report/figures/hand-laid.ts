/** Parts of figures that are laid out in pixels rather than by scales. */

/** An axis whose values are pixels of the figure. */
export function pixels(field: string, domain: [number, number]) {
  return { field, type: "quantitative", axis: null, scale: { domain, nice: false, zero: false } } as const;
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
