import { type FigureSpec, type FigureWidth, type ReportFigure, renderSvg } from "../report/index.js";

/** Draws a figure of a report, for wide and for narrow windows. */
export async function drawFigure(
  spec: (width: FigureWidth) => FigureSpec,
  caption: string,
): Promise<ReportFigure> {
  const [svg, narrowSvg] = [await renderSvg(spec({})), await renderSvg(spec({ narrow: true }))];
  return { svg, narrowSvg, caption };
}
