import { expectWithin } from "../errors/expect.js";
import { ShapeError } from "../errors/index.js";
import { type Attributes, formatType, type Operator, Tensor, type TensorType } from "../ir/index.js";
import { elementCount, staticShape } from "../util/shape.js";
import { emitBlockedAffine } from "./blocked-layout.js";
import { channelAffine } from "./channel-affine.js";
import { add, div, mul, neg, sqrt, sub } from "./elementwise.js";
import { expectDType } from "./expect.js";
import { constant } from "./input.js";
import { reshape, slice, zerosLike } from "./layout.js";
import { sum } from "./reduce.js";
import { emitSum } from "./staged-sum.js";

/** Sum over all axes except the channels. */
function channelSum(x: Tensor): Tensor {
  return sum(x, { axes: x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis])) });
}

interface StatisticsAttributes extends Attributes {
  readonly blocked: boolean;
}

/** The operator of {@link channelStatistics}. */
export const channelStatisticsOperator: Operator<StatisticsAttributes> = {
  name: "channelStatistics",
  inBlocks: ({ inputs, output }) => output.with({ inputs, attributes: { blocked: true } }),
  infer: ([x], { blocked }) => {
    expectDType("channelStatistics", [x!], "float32");
    if (blocked ? x!.shape.length !== 5 : x!.shape.length < 2) {
      const layout = blocked ? "[B, C/b, H, W, b]" : "[B, C, …]";
      throw new ShapeError("channelStatistics", layout, formatType(x!));
    }
    const [, second, , , block] = staticShape(x!.shape, "channelStatistics");
    return { dtype: "float32", shape: [2, blocked ? second! * block! : second!] };
  },
  // Both parts combine into one scale and shift of x: dm/N + 2·dv/N·(x − m).
  gradient: (dy, { inputs: [x], output, attributes: { blocked } }) => {
    const [mean, byMean, byVariance] = [row(output, 0), row(dy, 0), row(dy, 1)];
    const count = elementCount(x!.shape) / (output.shape[1] as number);
    const slope = mul(byVariance, 2 / count);
    const offset = sub(mul(byMean, 1 / count), mul(slope, mean));
    return [channelAffine(x!, slope, offset, undefined, { blocked })];
  },
  emit: ({ inputs: [x], types, output, attributes: { blocked } }, onnx) => {
    const shape = types[0]!.shape as readonly number[];
    const channels = output.shape[1] as number;
    const count = elementCount(shape) / channels;
    const rowOf = (value: string) => onnx.reshape(value, [1, channels]);
    // Sums within images first: this is fastest in the runtime, and short sums round less.
    const within = blocked ? [2, 3] : shape.flatMap((_, axis) => (axis > 1 ? [axis] : []));
    const perImage = shape.map((size, axis) => (within.includes(axis) ? 1 : size));
    const sumOver = (value: string, sizes: readonly number[], axes: readonly number[]) =>
      emitSum(onnx, "ReduceSum", value, { dtype: "float32", shape: sizes }, axes, true);
    const average = (value: string) => {
      const images = within.length === 0 ? value : sumOver(value, shape, within);
      const total = sumOver(images, perImage, [0]);
      return onnx.node("Mul", [total, onnx.float(1 / count)]);
    };
    // Two passes: E[x²] − m² cancels if the mean is large compared to the deviation. The second pass also corrects the
    // mean. Squares by Mul, since ReduceSumSquare is slower and rounds more.
    const first = average(x!);
    const centred = blocked
      ? emitBlockedAffine(onnx, {
          x: x!,
          shape,
          scale: onnx.constant("float32", [channels], new Float32Array(channels).fill(1)),
          shift: onnx.reshape(onnx.node("Neg", [first]), [channels]),
        })
      : onnx.node("Sub", [x!, first]);
    const mean = onnx.node("Add", [first, average(centred)]);
    const variance = average(onnx.node("Mul", [centred, centred]));
    return onnx.node("Concat", [rowOf(mean), rowOf(variance)], { axis: 0 });
  },
};

/** One row of a [2, C] tensor, as [C]. */
function row(x: Tensor, index: number): Tensor {
  return reshape(slice(x, { axis: 0, start: index, end: index + 1 }), [x.shape[1]!]);
}

/**
 * Mean and biased variance of each channel.
 *
 * @param x [B, C, …]; [B, C/b, H, W, b] if blocked
 * @returns `mean` and `variance` [C], and `both` [2, C], whose rows they are
 */
export function channelStatistics(x: Tensor, { blocked = false }: { readonly blocked?: boolean } = {}) {
  const both = Tensor.apply(channelStatisticsOperator, [x], { blocked });
  return { both, mean: row(both, 0), variance: row(both, 1) };
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
export const batchNormOperator: Operator<{ epsilon: number }> = {
  name: "batchNorm",
  inBlocks: ({ inputs: [x, scale, bias, mean, variance], attributes: { epsilon } }) => {
    const parameters = { scale: scale!, bias: bias!, mean: mean!, variance: variance! };
    const affine = batchNormAffine(parameters, epsilon);
    return channelAffine(x!, affine.scale, affine.shift, undefined, { blocked: true });
  },
  infer: expectChannels,
  gradient: (dy, { inputs: [x, scale, bias, mean, variance], attributes: { epsilon } }) => {
    const parameters = { scale: scale!, bias: bias!, mean: mean!, variance: variance! };
    const affine = batchNormAffine(parameters, epsilon);
    const byBias = channelSum(dy);
    // Σ dy·x − m·Σ dy would cancel if the mean is large compared to the deviation.
    const ones = constant(new Float32Array(mean!.shape[0] as number).fill(1));
    const centred = channelAffine(x!, ones, neg(mean!));
    const byScale = div(channelSum(mul(dy, centred)), affine.deviation);
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
 * @param x [B, C, …]
 * @param parameters each [C]
 * @param epsilon at least 0; defaults to 1e-5
 */
export function batchNorm(x: Tensor, parameters: ChannelParameters, epsilon = 1e-5): Tensor {
  expectWithin("batchNorm: epsilon", epsilon, { from: 0 });
  const { scale, bias, mean, variance } = parameters;
  return Tensor.apply(batchNormOperator, [x, scale, bias, mean, variance], { epsilon });
}
