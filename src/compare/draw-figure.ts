import { type FigureSpec, type FigureWidth, type ReportFigure, renderSvg } from "../report/index.js";

/** A figure of a report, drawn for wide and for narrow windows. */
export async function drawFigure(
  spec: (width: FigureWidth) => FigureSpec,
  caption: string,
): Promise<ReportFigure> {
  const [svg, narrowSvg] = [await renderSvg(spec({})), await renderSvg(spec({ narrow: true }))];
  return { svg, narrowSvg, caption };
}
