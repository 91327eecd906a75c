import { ShapeError } from "../errors/index.js";
import { type Attributes, formatType, type Operator, sameType, Tensor } from "../ir/index.js";
import { emitBlockedAffine } from "./blocked-layout.js";
import { mul } from "./elementwise.js";
import { expectDType } from "./expect.js";
import { type FusedRelu, reluAfter, throughRelu } from "./fused-relu.js";
import { reshape } from "./layout.js";
import { sum } from "./reduce.js";

interface ChannelAffineAttributes extends Attributes {
  readonly blocked: boolean;
  readonly relu: FusedRelu;
}

/** The operator of {@link channelAffine}. */
export const channelAffineOperator: Operator<ChannelAffineAttributes> = {
  name: "channelAffine",
  withRelu: (attributes, most) => ({ ...attributes, relu: reluAfter(attributes.relu, most) }),
  inBlocks: ({ inputs, output }) => output.with({ inputs, attributes: { blocked: true } }),
  infer: ([x, scale, shift, addend], { blocked }) => {
    const inputs = [x!, scale!, shift!, ...(addend ? [addend] : [])];
    expectDType("channelAffine", inputs, "float32");
    const [, second, , , block] = x!.shape as readonly number[];
    const channels = blocked ? second! * block! : second;
    const perChannel = [scale!, shift!].every(({ shape }) => shape.length === 1 && shape[0] === channels);
    const ranked = blocked ? x!.shape.length === 5 : x!.shape.length >= 2;
    if (!ranked || !perChannel || (addend && !sameType(addend, x!))) {
      throw new ShapeError(
        "channelAffine",
        `x, scale and shift of [${channels}], and an addend like x`,
        inputs.map(formatType).join(", "),
      );
    }
    return x!;
  },
  gradient: (upstream, { inputs: [x, scale, , addend], output, attributes: { blocked, relu } }) => {
    const dy = throughRelu(upstream, output, relu);
    const channels = scale!.shape;
    const channelAxes = blocked ? [1, 4] : [1];
    const axes = x!.shape.flatMap((_, axis) => (channelAxes.includes(axis) ? [] : [axis]));
    const byScale = reshape(sum(mul(dy, x!), { axes }), channels);
    const byShift = reshape(sum(dy, { axes }), channels);
    const byInput = mul(dy, broadcastChannels(scale!, x!, blocked));
    return [byInput, byScale, byShift, ...(addend ? [dy] : [])];
  },
  emit: ({ inputs: [x, scale, shift, addend], types, attributes: { blocked, relu } }, onnx) => {
    const shape = types[0]!.shape as readonly number[];
    if (!blocked) {
      const sizes = [-1, ...shape.slice(2).map(() => 1)];
      const scaled = onnx.node("Mul", [x!, onnx.reshape(scale!, sizes)]);
      const shifted = onnx.node("Add", [scaled, onnx.reshape(shift!, sizes)]);
      const sum = addend ? onnx.node("Add", [shifted, addend]) : shifted;
      if (relu === false) return sum;
      return relu === true
        ? onnx.node("Relu", [sum])
        : onnx.node("Clip", [sum, onnx.float(0), onnx.float(relu)]);
    }
    return emitBlockedAffine(onnx, { x: x!, shape, scale: scale!, shift: shift!, addend, relu });
  },
};

/** Per-channel values in a shape that broadcasts against `x`. */
function broadcastChannels(values: Tensor, x: Tensor, blocked: boolean): Tensor {
  const { shape } = x;
  return reshape(
    values,
    blocked ? [shape[1]!, 1, 1, shape[4]!] : [shape[1]!, ...shape.slice(2).map(() => 1)],
  );
}

/**
 * x · scale + shift + addend, with scale and shift per channel: what batch normalisation and its gradient reduce to.
 *
 * @param x [B, C, …]; [B, C/b, H, W, b] if blocked
 * @param scale [C]
 * @param shift [C]
 * @param addend shaped like x
 */
export function channelAffine(
  x: Tensor,
  scale: Tensor,
  shift: Tensor,
  addend?: Tensor,
  options: {
    readonly blocked?: boolean;
    /** Applies ReLU in the same pass, clipped at a number if given. Defaults to `false`. */
    readonly relu?: FusedRelu;
  } = {},
): Tensor {
  const { blocked = false, relu = false } = options;
  const inputs = addend ? [x, scale, shift, addend] : [x, scale, shift];
  return Tensor.apply(channelAffineOperator, inputs, { blocked, relu });
}
