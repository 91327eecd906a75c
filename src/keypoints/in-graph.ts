/** Keypoint operations in the graph. */

import type { Tensor } from "../ir/index.js";
import {
  add,
  cast,
  concat,
  constant,
  div,
  greaterEqual,
  matmul,
  max,
  mul,
  pad,
  reshape,
  sign,
  slice,
  sub,
  sum,
} from "../ops/index.js";
import { partners } from "./heatmaps.js";

/**
 * Keypoints of heatmaps as `decodeHeatmaps` finds them, relative to width and height: x, y and score of each.
 * If several pixels share the maximum, their mean position.
 *
 * @param heatmaps [B, J, H, W]
 * @returns [B, J, 3]
 */
export function keypointsOf(heatmaps: Tensor): Tensor {
  const [batch, joints, height, width] = heatmaps.shape as [Tensor["shape"][number], number, number, number];
  const axes = [2, 3];
  const peak = max(heatmaps, { axes, keepDims: true });
  const mask = cast(greaterEqual(heatmaps, peak), "float32");
  const count = sum(mask, { axes });
  const at = (values: Tensor) => div(sum(mul(mask, values), { axes }), count);
  const inside = constant(
    Float32Array.from({ length: height * width }, (_, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      return x > 1 && x < width - 1 && y > 1 && y < height - 1 ? 0.25 : 0;
    }),
    [1, 1, height, width],
  );
  const coordinate = (axis: 2 | 3) => {
    const length = axis === 3 ? width : height;
    const places = constant(
      Float32Array.from({ length }, (_, i) => i),
      axis === 3 ? [1, 1, 1, width] : [1, 1, height, 1],
    );
    const slope = mul(sign(difference(heatmaps, axis)), inside);
    return div(at(add(places, slope)), length);
  };
  const columns = [coordinate(3), coordinate(2), reshape(peak, [batch, joints])];
  return concat(
    columns.map((column) => reshape(column, [batch, joints, 1])),
    2,
  );
}

/** The value after each pixel minus the one before it. 0 at the edges. */
function difference(x: Tensor, axis: 2 | 3): Tensor {
  const length = x.shape[axis] as number;
  const inner = sub(slice(x, { axis, start: 2, end: length }), slice(x, { axis, start: 0, end: length - 2 }));
  return pad(inner, { axis, before: 1, after: 1 });
}

/** Flips images horizontally: [B, C, H, W]. */
export function mirrored(x: Tensor): Tensor {
  const width = x.shape[3] as number;
  const turned = new Float32Array(width * width);
  for (let i = 0; i < width; i++) turned[i * width + width - 1 - i] = 1;
  return matmul(x, constant(turned, [width, width]));
}

/**
 * Averages heatmaps with those of the mirrored images: `averageFlipped` with shift, in the graph.
 *
 * @param heatmaps [B, J, H, W]
 * @param flipped heatmaps of the mirrored images, with the same shape
 */
export function averageFlippedInGraph(
  heatmaps: Tensor,
  flipped: Tensor,
  flipPairs: readonly (readonly [number, number])[],
): Tensor {
  const [batch, joints, height, width] = heatmaps.shape as [Tensor["shape"][number], number, number, number];
  const exchange = new Float32Array(joints * joints);
  for (const [i, from] of partners(joints, flipPairs).entries()) exchange[i * joints + from] = 1;
  const maps = matmul(
    constant(exchange, [joints, joints]),
    reshape(mirrored(flipped), [batch, joints, height * width]),
  );
  const back = reshape(maps, [batch, joints, height, width]);
  const shifted = concat(
    [slice(back, { axis: 3, start: 0, end: 1 }), slice(back, { axis: 3, start: 0, end: width - 1 })],
    3,
  );
  return mul(add(heatmaps, shifted), 0.5);
}
