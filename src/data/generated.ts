import type { DatasetPair } from "./dataset.js";
import { generateFigures } from "./figures.js";
import { generatePositions, generateShapes } from "./shapes.js";

/** How generated data are made. */
export interface GenerateOptions {
  readonly seed: number;
  /** Side of the figures' images, in pixels; defaults to 64. */
  readonly imageSize?: number | undefined;
}

/** Data that are made on the spot, by name. */
export const GENERATED: Readonly<Record<string, (options: GenerateOptions) => DatasetPair>> = {
  shapes: ({ seed }) => generateShapes({ seed }),
  positions: ({ seed }) => generatePositions({ seed }),
  figures: ({ seed, imageSize = 64 }) => generateFigures({ seed, size: imageSize }),
};
