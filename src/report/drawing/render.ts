import { dirname } from "node:path";
import { UsageError } from "../../errors/index.js";
import { ensureFolder, writeFileAtomically } from "../../files/index.js";
import { loadSharp } from "../../util/sharp.js";
import type { FigureSpec } from "./figure-spec.js";
import { renderSvg, standaloneSvg } from "./svg.js";

/** Options of {@link renderPng}. */
export interface PngOptions {
  /** Pixels of the PNG per pixel of the drawing. Defaults to 2. */
  readonly scale?: number;
}

/** Renders SVG text to a PNG on white. */
export async function renderPng(svg: string, options: PngOptions = {}): Promise<Uint8Array> {
  const { scale = 2 } = options;
  const sharp = await loadSharp();
  const pointsPerInch = 72;
  return sharp(Buffer.from(svg), { density: pointsPerInch * scale })
    .flatten({ background: "white" })
    .png()
    .toBuffer();
}

/**
 * Renders a specification to each of the files, which must end in `.svg` or `.png`. Missing folders are
 * created.
 *
 * @throws UsageError for other extensions, before anything is drawn
 * @throws DyconvError with a hint, if a file cannot be written
 */
export async function writeFigure(paths: readonly string[], spec: FigureSpec): Promise<void> {
  const unknown = paths.find((path) => !/\.(svg|png)$/i.test(path));
  if (unknown !== undefined) {
    throw new UsageError(`${unknown}: a figure is drawn as .svg or .png`, { hint: "change its ending" });
  }
  const svg = await renderSvg(spec);
  for (const path of paths) {
    await ensureFolder(dirname(path));
    await writeFileAtomically(path, /\.svg$/i.test(path) ? standaloneSvg(svg) : await renderPng(svg));
  }
}
