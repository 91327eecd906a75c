import type { Tensor } from "../ir/index.js";
import { mean, mul, reshape, sub } from "../ops/index.js";

/**
 * Masked heatmap loss per sample: half the mean over keypoints and positions of (weight · (heatmaps −
 * target))². Keypoints with weight 0 contribute nothing, but count in the mean. Xiao et al., ECCV 2018, as in
 * the released code.
 *
 * @param heatmaps [B, J, H, W]
 * @param target [B, J, H, W]
 * @param weight [B, J]
 * @returns [B]
 */
export function heatmapLossPerSample(heatmaps: Tensor, target: Tensor, weight: Tensor): Tensor {
  const [batch, joints] = weight.shape;
  const difference = mul(sub(heatmaps, target), reshape(weight, [batch!, joints!, 1, 1]));
  return mul(mean(mul(difference, difference), { axes: [1, 2, 3] }), 0.5);
}
