import { type PredictedSample, pictureOf } from "./prediction-grid.js";

/** An image as a PNG, and what a model said about it. */
export interface PredictionTile extends Pick<PredictedSample, "prediction" | "truth" | "confidence"> {
  readonly png: Uint8Array;
}

/** Greatest height and width of a tile's image, in pixels; twice what the page shows it at. */
const GREATEST = 208;

/** Samples for a page, which sets the names below each image itself. Large images are made smaller. */
export function predictionTiles(samples: readonly PredictedSample[]): Promise<PredictionTile[]> {
  return Promise.all(
    samples.map(async ({ pixels, height, width, ...said }) => {
      const picture = await pictureOf({ pixels, height, width, ...said });
      const fitted = picture.resize(GREATEST, GREATEST, { fit: "inside", withoutEnlargement: true });
      return { ...said, png: await fitted.png().toBuffer() };
    }),
  );
}
