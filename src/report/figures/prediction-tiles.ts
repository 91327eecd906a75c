import { loadSharp } from "../../util/sharp.js";
import { markup } from "../text/markup.js";
import { markLines } from "./marks.js";
import { type PredictedSample, pictureOf } from "./prediction-grid.js";

/** An image as a PNG, and what a model said about it. */
export interface PredictionTile
  extends Pick<PredictedSample, "prediction" | "truth" | "confidence" | "marks"> {
  readonly png: Uint8Array;
}

/** Largest height and width of a tile's image, in pixels: twice its size on the page. */
const GREATEST = 208;

/**
 * Prepares samples for a page, which prints the names below each image itself. Large images are downscaled.
 */
export function predictionTiles(samples: readonly PredictedSample[]): Promise<PredictionTile[]> {
  return Promise.all(
    samples.map(async (sample) => {
      const { pixels: _, height: _height, width: _width, trueMarks: _marks, ...said } = sample;
      return { ...said, png: await tilePicture(sample) };
    }),
  );
}

async function tilePicture(sample: PredictedSample): Promise<Uint8Array> {
  const picture = await pictureOf(sample);
  if (sample.marks === undefined) {
    return picture.resize(GREATEST, GREATEST, { fit: "inside", withoutEnlargement: true }).png().toBuffer();
  }
  const overlay = markup`<svg xmlns="http://www.w3.org/2000/svg" width="${GREATEST}" height="${GREATEST}">${markLines(sample, GREATEST)}</svg>`;
  const enlarged = await picture
    .resize(GREATEST, GREATEST, { fit: "contain", background: "white" })
    .toBuffer();
  const raw = { width: GREATEST, height: GREATEST, channels: 3 } as const;
  const sharp = await loadSharp();
  return sharp(enlarged, { raw })
    .composite([{ input: Buffer.from(overlay.text) }])
    .png()
    .toBuffer();
}
