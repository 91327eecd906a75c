import type { Config } from "vega-lite";

/** Text and rules take the colour of the page around them. Black in files. */
const INK = "currentColor";

/** The look of every figure: type and rules of a printed page. */
export const FIGURE_STYLE: Config = {
  font: "Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif",
  background: "transparent",
  padding: 12,
  view: { stroke: null },
  title: {
    anchor: "start",
    frame: "bounds",
    offset: 14,
    color: INK,
    fontSize: 15,
    fontWeight: 600,
    subtitleColor: INK,
    subtitleFontSize: 11.5,
    subtitlePadding: 5,
  },
  axis: {
    labelColor: INK,
    labelFontSize: 11,
    labelPadding: 6,
    titleColor: INK,
    titleFontSize: 11,
    titleFontWeight: "normal",
    gridColor: INK,
    gridOpacity: 0.12,
    domainColor: INK,
    domainOpacity: 0.5,
    tickColor: INK,
    tickOpacity: 0.5,
    tickSize: 4,
  },
  legend: {
    labelColor: INK,
    labelFontSize: 11,
    labelLimit: 0,
    symbolType: "stroke",
    symbolStrokeWidth: 1.75,
    symbolOpacity: 1,
    rowPadding: 2,
    offset: 8,
  },
};

/** Title position of figures laid out by hand: at the left edge, independent of the axes. */
export function titleAtEdge(left: number) {
  return { frame: "group", dx: 12 - left } as const;
}
