import { ShapeError } from "../errors/index.js";
import { formatType, type Operator, Tensor, type TensorType } from "../ir/index.js";
import { elementCount } from "../util/shape.js";
import { channelAffine } from "./channel-affine.js";
import { add, div, mul, neg, sqrt, sub } from "./elementwise.js";
import { reshape, zerosLike } from "./layout.js";
import { sum } from "./reduce.js";

interface BatchNormAttributes extends Record<string, number | boolean> {
  readonly epsilon: number;
  /** Whether mean and variance are those of x itself, so that gradients flow through them. */
  readonly ofBatch: boolean;
}

/** Scale, bias, mean and variance of each channel, [C]. */
export interface ChannelStatistics {
  readonly scale: Tensor;
  readonly bias: Tensor;
  readonly mean: Tensor;
  readonly variance: Tensor;
}

function expectChannels(inputs: readonly TensorType[]): TensorType {
  const [x, ...statistics] = inputs;
  const channels = x!.shape[1];
  if (x!.shape.length < 2 || statistics.some(({ shape }) => shape.length !== 1 || shape[0] !== channels)) {
    throw new ShapeError(
      "batchNorm",
      "x [B, C, …] and scale, bias, mean, variance of [C]",
      inputs.map(formatType).join(", "),
    );
  }
  return x!;
}

/** Batch normalisation as a scale and a shift of each channel. */
export function batchNormAffine(statistics: ChannelStatistics, epsilon: number) {
  const deviation = sqrt(add(statistics.variance, epsilon));
  const scale = div(statistics.scale, deviation);
  return { deviation, scale, shift: sub(statistics.bias, mul(statistics.mean, scale)) };
}

const batchNormOperator: Operator<BatchNormAttributes> = {
  name: "batchNorm",
  infer: expectChannels,
  gradient: (dy, { inputs: [x, scale, bias, mean, variance], attributes: { epsilon, ofBatch } }) => {
    const axes = x!.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
    const statistics = { scale: scale!, bias: bias!, mean: mean!, variance: variance! };
    const { deviation, scale: factor } = batchNormAffine(statistics, epsilon);
    const byBias = sum(dy, { axes });
    const byScale = div(sub(sum(mul(dy, x!), { axes }), mul(mean!, byBias)), deviation);
    if (!ofBatch) {
      const byVariance = div(mul(mul(byScale, scale!), -0.5), add(variance!, epsilon));
      const direct = channelAffine(dy, factor, zerosLike(factor));
      return [direct, byScale, byBias, neg(mul(byBias, factor)), byVariance];
    }
    // factor · (dy − mean of dy − x̂ · mean of dy·x̂), sorted by what multiplies dy, x and 1.
    const perElement = div(
      factor,
      elementCount(
        axes.map((axis) => x!.shape[axis]!),
        "batchNorm",
      ),
    );
    const slope = neg(mul(perElement, div(byScale, deviation)));
    const offset = neg(add(mul(perElement, byBias), mul(slope, mean!)));
    return [
      channelAffine(dy, factor, offset, channelAffine(x!, slope, zerosLike(slope))),
      byScale,
      byBias,
      null,
      null,
    ];
  },
  emit: ({ inputs, attributes }, onnx) =>
    onnx.node("BatchNormalization", inputs, { epsilon: { float: attributes.epsilon } }),
};

/** What {@link batchNorm} may be told. */
export interface BatchNormOptions {
  /** Added to the variance; 1e-5 by default. */
  readonly epsilon?: number;
  /**
   * Promises that mean and biased variance are those of `x`: the gradient by `x` then takes their share in
   * itself, in one formula, and none is passed on to them. `false` by default.
   */
  readonly ofBatch?: boolean;
}

/**
 * (x − mean) / √(variance + epsilon) · scale + bias, per channel (axis 1).
 *
 * @param x [B, C, …]
 */
export function batchNorm(x: Tensor, statistics: ChannelStatistics, options: BatchNormOptions = {}): Tensor {
  const { scale, bias, mean, variance } = statistics;
  const { epsilon = 1e-5, ofBatch = false } = options;
  return Tensor.apply(batchNormOperator, [x, scale, bias, mean, variance], { epsilon, ofBatch });
}
