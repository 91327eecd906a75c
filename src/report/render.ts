import type { TopLevelSpec } from "vega-lite";
import { UsageError } from "../errors/index.js";
import { writeFileAtomically } from "../files/index.js";
import type { FigureSpec } from "./figure-spec.js";

/** Options of {@link renderPng}. */
export interface PngOptions {
  /** Pixels of the picture for one of the drawing; default: 2. */
  readonly scale?: number;
}

/** Draws a Vega-Lite specification as SVG text, without a browser. */
export async function renderSvg(spec: FigureSpec): Promise<string> {
  // Loaded here because they take longer than the rest of a command that draws nothing.
  const [vega, vegaLite] = await Promise.all([import("vega"), import("vega-lite")]);
  const view = new vega.View(vega.parse(vegaLite.compile(spec as unknown as TopLevelSpec).spec), {
    renderer: "none",
  });
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
 * Draws a specification into each of the files, which end in `.svg` or `.png`.
 *
 * @throws UsageError for another ending, before anything is drawn.
 * @throws DyconvError with a hint when a file cannot be written.
 */
export async function writeFigure(paths: readonly string[], spec: FigureSpec): Promise<void> {
  const unknown = paths.find((path) => !/\.(svg|png)$/i.test(path));
  if (unknown !== undefined) {
    throw new UsageError(`${unknown}: a figure is drawn as .svg or .png`, { hint: "change its ending" });
  }
  const svg = await renderSvg(spec);
  for (const path of paths) {
    await writeFileAtomically(path, /\.svg$/i.test(path) ? svg : await renderPng(svg));
  }
}
