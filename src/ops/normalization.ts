import { ShapeError } from "../errors/index.js";
import { formatType, type Operator, Tensor } from "../ir/index.js";
import { add, div, mul, neg, sqrt, sub } from "./elementwise.js";
import { reshape } from "./layout.js";
import { sum } from "./reduce.js";

const batchNormOperator: Operator<{ epsilon: number }> = {
  name: "batchNorm",
  infer: ([x, ...statistics]) => {
    const channels = x!.shape[1];
    if (x!.shape.length < 2 || statistics.some(({ shape }) => shape.length !== 1 || shape[0] !== channels)) {
      throw new ShapeError(
        "batchNorm",
        "x [B, C, …] and scale, bias, mean, variance of [C]",
        [x!, ...statistics].map(formatType).join(", "),
      );
    }
    return x!;
  },
  gradient: (dy, { inputs: [x, scale, , mean, variance], attributes: { epsilon } }) => {
    const axes = x!.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
    const perChannel = (t: Tensor) => reshape(t, [t.shape[0]!, ...axes.slice(1).map(() => 1)]);
    const deviation = sqrt(add(variance!, epsilon));
    const factor = div(scale!, deviation);
    const byBias = sum(dy, { axes });
    const byScale = div(sum(mul(dy, sub(x!, perChannel(mean!))), { axes }), deviation);
    const byVariance = div(mul(mul(byScale, scale!), -0.5), add(variance!, epsilon));
    return [mul(dy, perChannel(factor)), byScale, byBias, neg(mul(byBias, factor)), byVariance];
  },
  emit: ({ inputs, attributes }, onnx) =>
    onnx.node("BatchNormalization", inputs, { epsilon: { float: attributes.epsilon } }),
};

/**
 * (x − mean) / √(variance + epsilon) · scale + bias, per channel (axis 1). The statistics are inputs like
 * any other: gradients flow through them where they were computed from the batch.
 *
 * @param x [B, C, …]
 * @param statistics `scale`, `bias`, `mean`, `variance`, each [C]
 */
export function batchNorm(
  x: Tensor,
  statistics: { scale: Tensor; bias: Tensor; mean: Tensor; variance: Tensor },
  epsilon = 1e-5,
): Tensor {
  const { scale, bias, mean, variance } = statistics;
  return Tensor.apply(batchNormOperator, [x, scale, bias, mean, variance], { epsilon });
}
