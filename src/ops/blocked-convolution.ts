/**
 * Convolution in the blocked layout of `blocked-layout.ts`. Its weights are [O/b, C/b, kh, kw, b, b], inputs before
 * outputs, or [O/b, C, kh, kw, b] if the convolution reads fewer than b channels, then from a plain image. With several
 * groups, C is the channels per group. Depthwise weights are [C/b, 1, kh, kw, b].
 */
import { ShapeError } from "../errors/index.js";
import { type Attributes, formatType, type Operator, Tensor, type TensorType } from "../ir/index.js";
import { staticShape } from "../util/shape.js";
import { BLOCKED_DOMAIN, fromBlocked, plainShape, toBlocked } from "./blocked-layout.js";
import { conv2d } from "./convolution.js";
import { expectDType } from "./expect.js";
import { type FusedRelu, reluAfter, reluAttributes, throughRelu } from "./fused-relu.js";
import { reshape, transpose } from "./layout.js";
import { type Pair, symmetricPads, windowOutput } from "./window.js";

/** [O, C, kh, kw] → blocked weights: [O/b, C/b, kh, kw, b, b], or [O/b, C, kh, kw, b] for C < b. */
export function blockWeights(weight: Tensor, block: number): Tensor {
  const [out, channels, height, width] = staticShape(weight.shape, "blockWeights");
  const byOutput = toBlocked(reshape(weight, [1, out!, channels! * height! * width!, 1]), block);
  if (channels! < block) return reshape(byOutput, [out! / block, channels!, height!, width!, block]);
  const blocks = [out! / block, channels! / block];
  const grouped = reshape(byOutput, [...blocks, block, height! * width!, block]);
  return reshape(transpose(grouped, [0, 1, 3, 2, 4]), [...blocks, height!, width!, block, block]);
}

function unblockWeights(weight: Tensor): Tensor {
  const shape = staticShape(weight.shape, "unblockWeights");
  const rank = shape.length;
  const block = shape[rank - 1]!;
  if (rank === 5) {
    return reshape(transpose(weight, [0, 4, 1, 2, 3]), [shape[0]! * block, ...shape.slice(1, 4)]);
  }
  const sizes = [shape[0]! * block, shape[1]! * block, shape[2]!, shape[3]!];
  return reshape(transpose(weight, [0, 5, 1, 4, 2, 3]), sizes);
}

interface BlockedConvolutionAttributes extends Attributes {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
  readonly relu: FusedRelu;
}

/** Whether each channel of a blocked image has its own filter. */
function isDepthwise(x: TensorType, weight: TensorType, groups: number): boolean {
  const [out, perGroup] = weight.shape as readonly number[];
  const block = weight.shape.at(-1) as number;
  if (x.shape.length !== 5 || weight.shape.length !== 5 || x.shape[4] !== block) return false;
  return perGroup === 1 && out === x.shape[1] && groups === out! * block;
}

/** The operator of {@link blockedConv2d}. */
export const blockedConv2dOperator: Operator<BlockedConvolutionAttributes> = {
  name: "blockedConv2d",
  withRelu: (attributes, most) => ({ ...attributes, relu: reluAfter(attributes.relu, most) }),
  infer: ([x, weight, bias], { stride, padding, dilation, groups }) => {
    expectDType("blockedConv2d", [x!, weight!, ...(bias ? [bias] : [])], "float32");
    const kernel = staticShape(weight!.shape, "blockedConv2d");
    const [batch, channels, ...rest] = staticShape(x!.shape, "blockedConv2d");
    const block = kernel[kernel.length - 1]!;
    const depthwise = isDepthwise(x!, weight!, groups);
    const fits =
      depthwise || x!.shape.length + 1 === kernel.length || (x!.shape.length === 4 && kernel.length === 5);
    const biased = !bias || (bias.shape.length === 1 && bias.shape[0] === kernel[0]! * block);
    const divides = kernel[1]! * groups === channels && kernel[0]! % groups === 0;
    if (!fits || !biased || !(depthwise || divides)) {
      throw new ShapeError(
        "blockedConv2d",
        `x [B, C/b, H, W, b] and weight [O/b, C/${groups}/b, kh, kw, b, b], with ${groups} dividing C/b and O/b`,
        `${formatType(x!)} and ${formatType(weight!)}`,
      );
    }
    const size = [0, 1].map((i) =>
      windowOutput(rest[i]!, kernel[i + 2]!, stride[i]!, padding[i]!, dilation[i]!),
    );
    return { dtype: "float32", shape: [batch!, kernel[0]!, ...size, block] };
  },
  gradient: (upstream, { inputs: [x, weight, bias], output, attributes }) => {
    const dy = throughRelu(upstream, output, attributes.relu);
    const block = weight!.shape.at(-1) as number;
    const blocked = x!.shape.length === 5;
    const plain = conv2d(blocked ? fromBlocked(x!) : x!, unblockWeights(weight!), bias, attributes);
    const { inputs, operator } = plain;
    const parts = operator.gradient(fromBlocked(dy), { inputs, output: plain, attributes: plain.attributes });
    const [byInput, byWeight, ...byBias] = parts as readonly Tensor[];
    return [blocked ? toBlocked(byInput!, block) : byInput!, blockWeights(byWeight!, block), ...byBias];
  },
  emit: ({ inputs, types, output, attributes }, onnx) => {
    const [x, weight, ...bias] = inputs;
    const kernel = types[1]!.shape as readonly number[];
    const block = kernel[kernel.length - 1]!;
    const blocked = types[0]!.shape.length === 5;
    const channels = kernel.length === 6 ? kernel[1]! * block : kernel[1]!;
    const sizes = [kernel[0]! * block, channels, ...kernel.slice(2, 4)];
    const image = blocked ? onnx.reshape(x!, plainShape(types[0]!.shape as readonly number[])) : x!;
    const { stride, padding, dilation, groups } = attributes;
    const y = onnx.node(
      "Conv",
      [image, onnx.reshape(weight!, sizes), ...bias],
      {
        kernel_shape: kernel.slice(2, 4),
        strides: stride,
        pads: symmetricPads(padding),
        dilations: dilation,
        group: groups,
        ...reluAttributes(attributes.relu),
      },
      BLOCKED_DOMAIN,
    );
    const shape = output.shape as readonly number[];
    return onnx.reshape(y, shape, plainShape(shape));
  },
};

/** Options of {@link blockedConv2d}. */
export interface BlockedConvolutionOptions {
  /** Defaults to [1, 1]. */
  readonly stride?: Pair;
  /**
   * Defaults to [0, 0]. Padding the width is slower than widening the image with `pad` beforehand, but not for plain
   * images and depthwise convolutions.
   */
  readonly padding?: Pair;
  /** Defaults to [1, 1]. */
  readonly dilation?: Pair;
  /** Number of independent convolutions, each over whole blocks of channels or over a single channel. Defaults to 1. */
  readonly groups?: number;
  /** Applies ReLU in the same pass, clipped at a number if given. Defaults to `false`. */
  readonly relu?: FusedRelu;
}

/**
 * Convolution in the blocked layout.
 *
 * @param x [B, C/b, H, W, b]; [B, C, H, W] for C < b with one group
 * @param weight in the layout of {@link blockWeights}
 * @param bias [O]
 * @returns [B, O/b, H′, W′, b]
 */
export function blockedConv2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  options: BlockedConvolutionOptions = {},
): Tensor {
  const { stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1, relu = false } = options;
  const inputs = bias ? [x, weight, bias] : [x, weight];
  return Tensor.apply(blockedConv2dOperator, inputs, { stride, padding, dilation, groups, relu });
}
