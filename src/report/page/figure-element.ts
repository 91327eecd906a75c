import { Markup, markup } from "../text/markup.js";
import type { ReportFigure } from "./comparison.js";

/** A figure with its caption. */
export function figureElement(figure: ReportFigure): Markup {
  return markup`<figure>${drawings(figure)}<figcaption>${figure.caption}</figcaption></figure>`;
}

/** The drawing of a figure, or one for wide and one for narrow windows. */
function drawings({ svg, narrowSvg }: ReportFigure): Markup {
  if (narrowSvg === undefined) return new Markup(svg);
  return markup`<div class="if-wide">${new Markup(svg)}</div><div class="if-narrow">${new Markup(narrowSvg)}</div>`;
}
