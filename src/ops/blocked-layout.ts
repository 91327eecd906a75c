/**
 * ONNX Runtime's blocked layout for CPUs (domain `com.microsoft.nchwc`): b neighbouring channels are interleaved, so
 * one vector register holds the same pixel of b channels. b is the width of the processor's vectors in float32, 16 with
 * AVX-512.
 *
 * A blocked tensor has the shape [B, C/b, H, W, b]. Elementwise operators work on it unchanged.
 */
import { ShapeError } from "../errors/index.js";
import { type Attributes, formatType, type Operator, Tensor } from "../ir/index.js";
import type { OnnxBuilder } from "../onnx/builder.js";
import { staticShape } from "../util/shape.js";
import { permuted } from "../util/strides.js";
import { expectLayout } from "./expect.js";
import { type FusedRelu, reluAttributes } from "./fused-relu.js";

/** The domain of ONNX Runtime's blocked operators. */
export const BLOCKED_DOMAIN = "com.microsoft.nchwc";

interface BlockAttributes extends Attributes {
  readonly block: number;
}

/** The operator of {@link toBlocked}. */
export const toBlockedOperator: Operator<BlockAttributes> = {
  name: "toBlocked",
  rearranges: true,
  inBlocks: ({ inputs: [x] }) => x,
  evaluate: ([x], { output }) => {
    const [batch, blocks, height, width, block] = output.shape as readonly [
      number,
      number,
      number,
      number,
      number,
    ];
    return permuted(x!, [batch, blocks, block, height * width], [0, 1, 3, 2]);
  },
  infer: ([x], { block }) => {
    expectLayout("toBlocked", x!, "[B, C, H, W]");
    const [batch, channels, height, width] = staticShape(x!.shape, "toBlocked");
    if (channels! % block !== 0) {
      throw new ShapeError("toBlocked", `[B, C, H, W], C a multiple of ${block}`, formatType(x!));
    }
    return { dtype: "float32", shape: [batch!, channels! / block, height!, width!, block] };
  },
  gradient: (dy) => [fromBlocked(dy)],
  emit: ({ inputs, types, output }, onnx) => {
    const reordered = onnx.node("ReorderInput", inputs, {}, BLOCKED_DOMAIN);
    return onnx.reshape(reordered, output.shape as readonly number[], types[0]!.shape as readonly number[]);
  },
};

/** The operator of {@link fromBlocked}. */
export const fromBlockedOperator: Operator<Record<string, never>> = {
  name: "fromBlocked",
  rearranges: true,
  infer: ([x]) => {
    expectLayout("fromBlocked", x!, "[B, C/b, H, W, b]");
    return { dtype: "float32", shape: plainShape(staticShape(x!.shape, "fromBlocked")) };
  },
  gradient: (dy, { inputs: [x] }) => [toBlocked(dy, x!.shape[4] as number)],
  emit: ({ inputs, output }, onnx) => {
    const shape = output.shape as readonly number[];
    return onnx.node(
      "ReorderOutput",
      [onnx.reshape(inputs[0]!, shape)],
      { channels: shape[1]! },
      BLOCKED_DOMAIN,
    );
  },
};

/** The shape that ONNX Runtime assumes for a blocked tensor: that of the plain one. */
export function plainShape([batch, blocks, height, width, block]: readonly number[]): readonly number[] {
  return [batch!, blocks! * block!, height!, width!];
}

/** [B, C, H, W] → [B, C/block, H, W, block]. */
export function toBlocked(x: Tensor, block: number): Tensor {
  return Tensor.apply(toBlockedOperator, [x], { block });
}

/** [B, C/block, H, W, block] → [B, C, H, W]. */
export function fromBlocked(x: Tensor): Tensor {
  return Tensor.apply(fromBlockedOperator, [x], {});
}

/** Inputs of {@link emitBlockedAffine}. */
interface BlockedAffine {
  /** [B, C/b, H, W, b] */
  readonly x: string;
  readonly shape: readonly number[];
  /** One value per channel, in any shape. */
  readonly scale: string;
  /** [C] */
  readonly shift: string;
  /** Shaped like x. */
  readonly addend?: string | undefined;
  readonly relu?: FusedRelu;
}

/** x · scale + shift + addend in one pass: a depthwise convolution with a single tap. */
export function emitBlockedAffine(onnx: OnnxBuilder, affine: BlockedAffine): string {
  const { x, shape, scale, shift, addend, relu = false } = affine;
  const sizes = plainShape(shape);
  const kernel = onnx.reshape(scale, [-1, 1, 1, 1]);
  const rest = addend === undefined ? [] : [onnx.reshape(addend, sizes)];
  const attributes = { kernel_shape: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };
  const y = onnx.node(
    "Conv",
    [onnx.reshape(x, sizes), kernel, shift, ...rest],
    { ...attributes, group: sizes[1]!, ...reluAttributes(relu) },
    BLOCKED_DOMAIN,
  );
  return onnx.reshape(y, shape, sizes);
}
