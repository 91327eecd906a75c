import { expectWithin } from "../errors/expect.js";
import { ShapeError } from "../errors/index.js";
import { formatType, type Operator, Tensor, type TensorType } from "../ir/index.js";
import type { OnnxBuilder } from "../onnx/builder.js";
import { elementCount } from "../util/shape.js";
import { emitBlockedAffine } from "./blocked-layout.js";
import { channelAffine } from "./channel-affine.js";
import {
  type ChannelLayout,
  channelCount,
  channelDot,
  emitChannelDot,
  emitChannelSum,
} from "./channel-dot.js";
import { add, div, mul, neg, sqrt, sub } from "./elementwise.js";
import { expectDType } from "./expect.js";
import { constant } from "./input.js";
import { reshape, slice, zerosLike } from "./layout.js";
import { sum } from "./reduce.js";

/** Sum over all axes except the channels. */
function channelSum(x: Tensor): Tensor {
  return sum(x, { axes: x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis])) });
}

/** Divides sums over channels by the number of values in each. */
function emitMean(onnx: OnnxBuilder, sums: string, { shape }: TensorType, channels: number): string {
  return onnx.node("Mul", [sums, onnx.float(channels / elementCount(shape))]);
}

/** The operator that finds the centre of {@link channelStatistics}. */
export const channelCentreOperator: Operator<ChannelLayout> = {
  name: "channelCentre",
  inBlocks: ({ inputs, output }) => output.with({ inputs, attributes: { blocked: true } }),
  infer: ([x], attributes) => ({
    dtype: "float32",
    shape: [channelCount("channelCentre", x!, attributes)],
  }),
  gradient: () => [null],
  emit: ({ inputs: [x], types: [type], output, attributes }, onnx) =>
    emitMean(onnx, emitChannelSum(onnx, x!, type!, attributes), type!, output.shape[0] as number),
};

/** The operator of x − c per channel: inputs x and c [C]. Its result has small means. */
export const centredOperator: Operator<ChannelLayout> = {
  name: "centred",
  inBlocks: ({ inputs, output }) => output.with({ inputs, attributes: { blocked: true } }),
  infer: ([x, centre], attributes) => {
    expectDType("centred", [centre!], "float32");
    const channels = channelCount("centred", x!, attributes);
    if (centre!.shape.join() !== `${channels}`) {
      throw new ShapeError("centred", `[${channels}]`, formatType(centre!));
    }
    return x!;
  },
  gradient: (dy, { inputs: [, centre], attributes: { blocked } }) => {
    const axes = dy.shape.flatMap((_, axis) => (axis === 1 || (blocked && axis === 4) ? [] : [axis]));
    return [dy, neg(reshape(sum(dy, { axes }), centre!.shape))];
  },
  emit: ({ inputs: [x, centre], output, attributes: { blocked } }, onnx) => {
    const shape = output.shape as readonly number[];
    if (!blocked) {
      return onnx.node("Sub", [x!, onnx.reshape(centre!, [-1, ...shape.slice(2).map(() => 1)])]);
    }
    const channels = shape[1]! * shape[4]!;
    const scale = onnx.constant("float32", [channels], new Float32Array(channels).fill(1));
    return emitBlockedAffine(onnx, { x: x!, shape, scale, shift: onnx.node("Neg", [centre!]) });
  },
};

/** The operator of mean and biased variance of each channel, [2, C], of values whose means are small. */
export const channelStatisticsOperator: Operator<ChannelLayout> = {
  name: "channelStatistics",
  inBlocks: ({ inputs, output }) => output.with({ inputs, attributes: { blocked: true } }),
  infer: ([x], attributes) => ({
    dtype: "float32",
    shape: [2, channelCount("channelStatistics", x!, attributes)],
  }),
  // Both parts combine into one scale and shift of x: dm/N + 2·dv/N·(x − m).
  gradient: (dy, { inputs: [x], output, attributes: { blocked } }) => {
    const [mean, byMean, byVariance] = [row(output, 0), row(dy, 0), row(dy, 1)];
    const count = elementCount(x!.shape) / (output.shape[1] as number);
    const slope = mul(byVariance, 2 / count);
    const offset = sub(mul(byMean, 1 / count), mul(slope, mean));
    return [channelAffine(x!, slope, offset, undefined, { blocked })];
  },
  emit: ({ inputs: [x], types: [type], output, attributes }, onnx) => {
    const channels = output.shape[1] as number;
    const rowOf = (value: string) => onnx.reshape(value, [1, channels]);
    const mean = emitMean(onnx, emitChannelSum(onnx, x!, type!, attributes), type!, channels);
    const squares = emitMean(onnx, emitChannelDot(onnx, x!, x!, type!, attributes), type!, channels);
    const difference = onnx.node("Sub", [squares, onnx.node("Mul", [mean, mean])]);
    const variance = onnx.node("Max", [difference, onnx.float(0)]);
    return onnx.node("Concat", [rowOf(mean), rowOf(variance)], { axis: 0 });
  },
};

/** One row of a [2, C] tensor, as [C]. */
function row(x: Tensor, index: number): Tensor {
  return reshape(slice(x, { axis: 0, start: index, end: index + 1 }), [x.shape[1]!]);
}

/**
 * Mean and biased variance of each channel, exact if means are large beside deviations. The centre is the mean, rounded
 * to float32, and x − centre has nearly all digits: statistics and normalisation start from there. Neither depends on
 * which number near the mean is taken, so the centre is a constant to gradients.
 *
 * @param x [B, C, …]
 * @returns `centred`, x − centre, and `offset`, its mean [C]; `mean` and `variance` of x [C]
 */
export function channelStatistics(x: Tensor) {
  const layout = { blocked: false };
  const centre = Tensor.apply(channelCentreOperator, [x], layout);
  const centred = Tensor.apply(centredOperator, [x, centre], layout);
  const both = Tensor.apply(channelStatisticsOperator, [centred], layout);
  const offset = row(both, 0);
  return { centred, offset, mean: add(centre, offset), variance: row(both, 1) };
}

/** Scale, bias, mean and variance of each channel, [C]. */
export interface ChannelParameters {
  readonly scale: Tensor;
  readonly bias: Tensor;
  readonly mean: Tensor;
  readonly variance: Tensor;
}

function expectChannels(inputs: readonly TensorType[]): TensorType {
  const [x, ...parameters] = inputs;
  expectDType("batchNorm", inputs, "float32");
  const channels = x!.shape[1];
  if (x!.shape.length < 2 || parameters.some(({ shape }) => shape.length !== 1 || shape[0] !== channels)) {
    throw new ShapeError(
      "batchNorm",
      "x [B, C, …] and scale, bias, mean, variance of [C]",
      inputs.map(formatType).join(", "),
    );
  }
  return x!;
}

/** The operator of {@link batchNorm}. */
export const batchNormOperator: Operator<{ epsilon: number; centred: boolean }> = {
  name: "batchNorm",
  inBlocks: ({ inputs: [x, scale, bias, mean, variance], attributes: { epsilon } }) => {
    const parameters = { scale: scale!, bias: bias!, mean: mean!, variance: variance! };
    const affine = batchNormAffine(parameters, epsilon);
    return channelAffine(x!, affine.scale, affine.shift, undefined, { blocked: true });
  },
  infer: expectChannels,
  gradient: (dy, { inputs: [x, scale, bias, mean, variance], attributes: { epsilon, centred } }) => {
    const parameters = { scale: scale!, bias: bias!, mean: mean!, variance: variance! };
    const affine = batchNormAffine(parameters, epsilon);
    const byBias = channelSum(dy);
    // Σ dy·(x − m). With a mean that is large beside the deviation, Σ dy·x − m·Σ dy would cancel.
    const ones = constant(new Float32Array(mean!.shape[0] as number).fill(1));
    const moment = centred
      ? sub(channelDot(dy, x!), mul(mean!, byBias))
      : channelDot(dy, channelAffine(x!, ones, neg(mean!)));
    const byScale = div(moment, affine.deviation);
    const byVariance = div(mul(mul(byScale, scale!), -0.5), add(variance!, epsilon));
    const byInput = channelAffine(dy, affine.scale, zerosLike(affine.scale));
    return [byInput, byScale, byBias, neg(mul(byBias, affine.scale)), byVariance];
  },
  emit: ({ inputs, attributes }, onnx) =>
    onnx.node("BatchNormalization", inputs, { epsilon: { float: attributes.epsilon } }),
};

/** Batch normalisation as a scale and a shift per channel. `deviation` is √(variance + epsilon). */
export function batchNormAffine({ scale, bias, mean, variance }: ChannelParameters, epsilon: number) {
  const deviation = sqrt(add(variance, epsilon));
  const factor = div(scale, deviation);
  return { deviation, scale: factor, shift: sub(bias, mul(mean, factor)) };
}

/**
 * (x − mean) / √(variance + epsilon) · scale + bias, per channel (axis 1). The statistics are ordinary inputs:
 * gradients flow through them if they were computed from the batch.
 *
 * To normalize by the batch, pass x minus a constant near its mean, and the mean of that: no digits are lost then, however
 * large the mean is.
 *
 * @param x [B, C, …]
 * @param parameters each [C]
 * @param epsilon at least 0; defaults to 1e-5
 */
export function batchNorm(x: Tensor, parameters: ChannelParameters, epsilon = 1e-5): Tensor {
  expectWithin("batchNorm: epsilon", epsilon, { from: 0 });
  const { scale, bias, mean, variance } = parameters;
  const attributes = { epsilon, centred: x.is(centredOperator) };
  return Tensor.apply(batchNormOperator, [x, scale, bias, mean, variance], attributes);
}
