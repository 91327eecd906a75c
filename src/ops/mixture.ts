/**
 * Mixing the outputs of K experts per sample, Y = Σₖ πₖ Yₖ. Three operators closed under differentiation: each is
 * linear in both of its inputs, and its gradients are the other two. Experts are concatenated along axis 1, within each
 * group if there are several: [B, G·K·O/G, …]. Axes after 1 do not matter, so blocked tensors mix like plain ones.
 */
import { expectWhole } from "../errors/expect.js";
import { ShapeError } from "../errors/index.js";
import {
  formatType,
  type GradientContext,
  type Operator,
  type Shape,
  Tensor,
  type TensorType,
} from "../ir/index.js";
import { elementCount, sameShape } from "../util/shape.js";
import { expectDType } from "./expect.js";

/** Groups of channels that are mixed separately. Defaults to 1. */
export interface Grouping {
  readonly groups: number;
}

type MixtureAttributes = Grouping & Record<string, number>;

function expectExperts(name: string, many: TensorType, attention: TensorType): number {
  expectDType(name, [many, attention], "float32");
  const [samples, experts] = attention.shape;
  if (
    many.shape.length < 2 ||
    attention.shape.length !== 2 ||
    samples !== many.shape[0] ||
    typeof experts !== "number"
  ) {
    throw new ShapeError(
      name,
      `attention [${many.shape[0]}, K] for ${formatType(many)}`,
      formatType(attention),
    );
  }
  return experts;
}

/** The channels must divide into `parts`. */
function expectChannels(name: string, type: TensorType, parts: number): void {
  if (Number.isInteger(parts) && (type.shape[1] as number) % parts === 0) return;
  throw new ShapeError(name, `a number of channels divisible by ${parts}`, formatType(type));
}

/** Elements per sample in one part. */
function share(shape: Shape, parts: number): number {
  return elementCount(shape.slice(1)) / parts;
}

/** Blocks of channels mix like channels if each expert has whole blocks. */
function byChannelBlocks({
  inputs,
  output,
  attributes: { groups },
}: GradientContext<MixtureAttributes>): Tensor | undefined {
  const block = inputs[0]!.shape[4] as number;
  const whole = output.shape.length !== 4 || (output.shape[1] as number) % block === 0;
  return groups === 1 && whole ? output.with({ inputs }) : undefined;
}

/** The operator of {@link mixExperts}. */
export const mixExpertsOperator: Operator<MixtureAttributes> = {
  name: "mixExperts",
  linearIn: [0, 1],
  inBlocks: byChannelBlocks,
  infer: ([y, attention], { groups }) => {
    const experts = expectExperts("mixExperts", y!, attention!);
    const [batch, channels, ...rest] = y!.shape as readonly number[];
    expectChannels("mixExperts", y!, experts * groups);
    return { dtype: "float32", shape: [batch!, channels! / experts, ...rest] };
  },
  gradient: (dy, { inputs: [y, attention], attributes }) => [
    spreadExperts(dy, attention!, attributes),
    expertProducts(y!, dy, attributes),
  ],
  emit: ({ inputs: [y, attention], types, output, attributes: { groups } }, onnx) => {
    const experts = types[1]!.shape[1] as number;
    const byExpert = onnx.reshape(y!, [0, groups, experts, share(types[0]!.shape, groups * experts)]);
    const weighted = onnx.node("Mul", [byExpert, onnx.reshape(attention!, [0, 1, experts, 1])]);
    const sum = onnx.reduce("ReduceSum", weighted, [2], false);
    return onnx.reshape(sum, [0, ...(output.shape.slice(1) as readonly number[])]);
  },
};

/** The operator of {@link spreadExperts}. */
export const spreadExpertsOperator: Operator<MixtureAttributes> = {
  name: "spreadExperts",
  linearIn: [0, 1],
  inBlocks: byChannelBlocks,
  infer: ([y, attention], { groups }) => {
    const experts = expectExperts("spreadExperts", y!, attention!);
    expectChannels("spreadExperts", y!, groups);
    const [batch, channels, ...rest] = y!.shape as readonly number[];
    return { dtype: "float32", shape: [batch!, channels! * experts, ...rest] };
  },
  gradient: (dy, { inputs: [y, attention], attributes }) => [
    mixExperts(dy, attention!, attributes),
    expertProducts(dy, y!, attributes),
  ],
  emit: ({ inputs: [y, attention], types, output, attributes: { groups } }, onnx) => {
    const experts = types[1]!.shape[1] as number;
    const once = onnx.reshape(y!, [0, groups, 1, share(types[0]!.shape, groups)]);
    const spread = onnx.node("Mul", [once, onnx.reshape(attention!, [0, 1, experts, 1])]);
    return onnx.reshape(spread, [0, ...(output.shape.slice(1) as readonly number[])]);
  },
};

/** The operator of {@link expertProducts}. */
export const expertProductsOperator: Operator<MixtureAttributes> = {
  name: "expertProducts",
  linearIn: [0, 1],
  inBlocks: byChannelBlocks,
  infer: ([many, y], { groups }) => {
    expectDType("expertProducts", [many!, y!], "float32");
    const experts = (many!.shape[1] as number) / (y!.shape[1] as number);
    const others = ({ shape }: TensorType) => shape.filter((_, axis) => axis !== 1);
    if (y!.shape.length < 2 || !sameShape(others(many!), others(y!)) || !Number.isInteger(experts)) {
      throw new ShapeError(
        "expertProducts",
        "[B, K·O, …] and [B, O, …]",
        `${formatType(many!)} and ${formatType(y!)}`,
      );
    }
    expectChannels("expertProducts", y!, groups);
    return { dtype: "float32", shape: [y!.shape[0]!, experts] };
  },
  gradient: (dy, { inputs: [many, y], attributes }) => [
    spreadExperts(y!, dy, attributes),
    mixExperts(many!, dy, attributes),
  ],
  emit: ({ inputs: [many, y], types, output, attributes: { groups } }, onnx) => {
    const experts = output.shape[1] as number;
    const size = share(types[1]!.shape, groups);
    const left = onnx.reshape(many!, [0, groups, experts, size]);
    const products = onnx.node("MatMul", [left, onnx.reshape(y!, [0, groups, size, 1])]);
    return onnx.reduce("ReduceSum", products, [1, 3], false);
  },
};

/** Σₖ πₖ Yₖ: y [B, G·K·O/G, …] and attention π [B, K] → [B, O, …]. */
export function mixExperts(y: Tensor, attention: Tensor, { groups }: Grouping = { groups: 1 }): Tensor {
  expectWhole("mixExperts: groups", groups);
  return Tensor.apply(mixExpertsOperator, [y, attention], { groups });
}

/** πₖ Y for every expert: y [B, O, …] and attention π [B, K] → [B, G·K·O/G, …]. */
export function spreadExperts(y: Tensor, attention: Tensor, { groups }: Grouping = { groups: 1 }): Tensor {
  expectWhole("spreadExperts: groups", groups);
  return Tensor.apply(spreadExpertsOperator, [y, attention], { groups });
}

/** Σ Yₖ · Y over all axes except sample and expert: [B, G·K·O/G, …] and [B, O, …] → [B, K]. */
export function expertProducts(many: Tensor, y: Tensor, { groups }: Grouping = { groups: 1 }): Tensor {
  expectWhole("expertProducts: groups", groups);
  return Tensor.apply(expertProductsOperator, [many, y], { groups });
}
