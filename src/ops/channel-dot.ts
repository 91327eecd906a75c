import { ShapeError } from "../errors/index.js";
import {
  type Attributes,
  formatType,
  type Operator,
  sameType,
  Tensor,
  type TensorType,
} from "../ir/index.js";
import type { OnnxBuilder } from "../onnx/builder.js";
import { elementCount, staticShape } from "../util/shape.js";
import { BLOCKED_DOMAIN } from "./blocked-layout.js";
import { channelAffine } from "./channel-affine.js";
import { expectDType } from "./expect.js";
import { zerosLike } from "./layout.js";
import { emitSum } from "./staged-sum.js";

/** Attributes of operators that compute one value per channel. */
export interface ChannelLayout extends Attributes {
  /** Whether the input is [B, C/b, H, W, b] instead of [B, C, …]. */
  readonly blocked: boolean;
}

/** The number of channels of [B, C, …], or of [B, C/b, H, W, b] if blocked. */
export function channelCount(operator: string, x: TensorType, { blocked }: ChannelLayout): number {
  expectDType(operator, [x], "float32");
  if (blocked ? x.shape.length !== 5 : x.shape.length < 2) {
    throw new ShapeError(operator, blocked ? "[B, C/b, H, W, b]" : "[B, C, …]", formatType(x));
  }
  const [, second, , , block] = staticShape(x.shape, operator);
  return blocked ? second! * block! : second!;
}

/** Writes the sum of each channel of x, [C]. */
export function emitChannelSum(
  onnx: OnnxBuilder,
  x: string,
  type: TensorType,
  { blocked }: ChannelLayout,
): string {
  const { dtype } = type;
  const shape = type.shape as readonly number[];
  const sumOver = (value: string, sizes: readonly number[], axes: readonly number[]) =>
    emitSum(onnx, "ReduceSum", value, { dtype, shape: sizes }, axes, true);
  // Sums within images first: this is fastest in the runtime, and short sums round less.
  const within = blocked ? [2, 3] : shape.flatMap((_, axis) => (axis > 1 ? [axis] : []));
  const perImage = shape.map((size, axis) => (within.includes(axis) ? 1 : size));
  const images = within.length === 0 ? x : sumOver(x, shape, within);
  return onnx.reshape(sumOver(images, perImage, [0]), [-1]);
}

/** Most products that a blocked convolution adds up one after another: with more, the sum rounds visibly. */
const LONGEST = 64;

/**
 * Writes the sum of a · b for each channel, [C], a and b of the same type. In the blocked layout, rows of b are kernels over
 * rows of a: a single pass, where a product and its sum would take three.
 */
export function emitChannelDot(
  onnx: OnnxBuilder,
  a: string,
  b: string,
  type: TensorType,
  layout: ChannelLayout,
): string {
  if (!layout.blocked) return emitChannelSum(onnx, onnx.node("Mul", [a, b]), type, layout);
  const [batch, blocks, height, width, block] = type.shape as readonly [
    number,
    number,
    number,
    number,
    number,
  ];
  const isFew = (rows: number) => rows === 1 || (height % rows === 0 && rows * width <= LONGEST);
  const rows = Array.from({ length: height }, (_, i) => height - i).find(isFew)!;
  const channels = elementCount([batch, blocks, height / rows, block]);
  const products = onnx.node(
    "Conv",
    [onnx.reshape(a, [1, channels, rows, width]), onnx.reshape(b, [channels, 1, rows, width])],
    { kernel_shape: [rows, width], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], group: channels },
    BLOCKED_DOMAIN,
  );
  const shape = [batch, blocks, height / rows, 1, block];
  return emitChannelSum(onnx, onnx.reshape(products, shape, [1, channels, 1, 1]), { ...type, shape }, layout);
}

/** The operator of {@link channelDot}. */
export const channelDotOperator: Operator<ChannelLayout> = {
  name: "channelDot",
  inBlocks: ({ inputs, output }) => output.with({ inputs, attributes: { blocked: true } }),
  infer: ([a, b], attributes) => {
    const channels = channelCount("channelDot", a!, attributes);
    if (!sameType(a!, b!)) {
      throw new ShapeError(
        "channelDot",
        "two tensors of the same shape",
        [a!, b!].map(formatType).join(", "),
      );
    }
    return { dtype: "float32", shape: [channels] };
  },
  gradient: (dy, { inputs, attributes: { blocked } }) =>
    inputs.map((_, i) => channelAffine(inputs[1 - i]!, dy, zerosLike(dy), undefined, { blocked })),
  emit: ({ inputs: [a, b], types: [type], attributes }, onnx) =>
    emitChannelDot(onnx, a!, b!, type!, attributes),
};

/**
 * The sum of a · b for each channel, over images and pixels.
 *
 * @param a [B, C, …]
 * @param b shaped like a
 * @returns [C]
 */
export function channelDot(a: Tensor, b: Tensor): Tensor {
  return Tensor.apply(channelDotOperator, [a, b], { blocked: false });
}
