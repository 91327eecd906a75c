import type { Tensor } from "../ir/index.js";
import { add, cast, matmul, mul, reshape, transposeLast } from "../ops/index.js";

/** Normalization of pixels: (pixel / 255 − mean) / std. */
export interface NormalizationOptions {
  /** Defaults to 0.5. */
  readonly mean?: number;
  /** Defaults to 0.5. */
  readonly std?: number;
}

/**
 * Resamples and normalises images in the graph: rows · image · columnsᵀ for every channel.
 *
 * @param images uint8 [B, 3, h, w]
 * @param rows float32 [B, S, h], or [1, S, h] to resample all images alike
 * @param columns float32 [B, S, w] or [1, S, w]
 * @returns float32 [B, 3, S, S]
 * @throws ShapeError if the shapes do not match
 */
export function prepareImages(
  images: Tensor,
  rows: Tensor,
  columns: Tensor,
  options: NormalizationOptions = {},
): Tensor {
  const { mean = 0.5, std = 0.5 } = options;
  const [batch, channels, , width] = images.shape as [Tensor["shape"][number], number, number, number];
  const [rowMatrices, height, from] = rows.shape as [Tensor["shape"][number], number, number];
  const size = columns.shape[1] as number;

  // Scaling the small matrix is cheaper than a pass over the large images.
  const scaled = reshape(mul(rows, 1 / (255 * std)), [rowMatrices, 1, height, from]);
  const resized = matmul(scaled, cast(images, "float32"));
  // Channels and rows are merged: one large product per image instead of three small ones.
  const lines = reshape(resized, [batch, channels * height, width]);
  const pixels = matmul(lines, transposeLast(columns));
  return add(reshape(pixels, [batch, channels, height, size]), -mean / std);
}
