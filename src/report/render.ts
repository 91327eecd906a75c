import type { TopLevelSpec } from "vega-lite";
import { writeFileAtomically } from "../files/index.js";

/** Options of {@link renderPng}. */
export interface PngOptions {
  /** Pixels of the picture for one of the drawing; default: 2. */
  readonly scale?: number;
}

/** Draws a Vega-Lite specification as SVG text, without a browser. */
export async function renderSvg(spec: TopLevelSpec): Promise<string> {
  // Loaded here because they take longer than the rest of a command that draws nothing.
  const [vega, vegaLite] = await Promise.all([import("vega"), import("vega-lite")]);
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** Turns SVG text into a PNG on white. */
export async function renderPng(svg: string, options: PngOptions = {}): Promise<Uint8Array> {
  const { scale = 2 } = options;
  const { default: sharp } = await import("sharp");
  const pointsPerInch = 72;
  return sharp(Buffer.from(svg), { density: pointsPerInch * scale })
    .flatten({ background: "white" })
    .png()
    .toBuffer();
}

/**
 * Draws a specification into `<path>.svg` and `<path>.png`.
 *
 * @throws DyconvError with a hint when the files cannot be written.
 */
export async function writeFigure(path: string, spec: TopLevelSpec): Promise<void> {
  const svg = await renderSvg(spec);
  await writeFileAtomically(`${path}.svg`, svg);
  await writeFileAtomically(`${path}.png`, await renderPng(svg));
}
