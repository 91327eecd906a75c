/** Kernels that a layer computes for each position, tap by tap. */
import type { Tensor } from "../../ir/index.js";
import { reshape } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";

/**
 * Records the kernels at each position, [B, G·k², H, W], as `tap`, [B, G, k², H, W].
 *
 * @returns kernels for `perPositionConv2d`, [B, G, k, k, H, W]
 */
export function recordTaps(weights: Tensor, kernelSize: number, context: ForwardContext): Tensor {
  const [batch, rows, ...size] = weights.shape as readonly number[];
  const taps = kernelSize * kernelSize;
  const values = context.recordAttention("tap", {
    values: reshape(weights, [batch!, rows! / taps, taps, ...size]),
    ...{ activation: "other", axis: 2 },
  });
  return reshape(values, [batch!, rows! / taps, kernelSize, kernelSize, ...size]);
}
