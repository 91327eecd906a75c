import type { Machine, Tensor } from "../ir/index.js";
import {
  add,
  addOperator,
  batchNormAffine,
  batchNormOperator,
  conv2dOperator,
  mixedConv2dOperator,
  mul,
  perSampleConv2dOperator,
  reshape,
  transpose,
} from "../ops/index.js";
import { elementCount } from "../util/shape.js";
import { byStride, rearrangedProduct, sizeOf } from "./rearranged-products.js";
import type { MachineRewrite } from "./rewrite.js";
import { isFixed, transformGraph } from "./transform.js";

/**
 * Folds batch normalisation with fixed statistics into the convolution before it: into its kernels, or those of its
 * experts, and its bias. If a mixture has no bias, a shift per channel remains. The scale of kernels that are a product with
 * constants, such as the cells of a KernelWarehouse, goes into a copy of those constants.
 */
export const foldedBatchNorms = {
  name: "folded-batch-norms",
  sentence: "folds fixed batch normalisations into the kernels before them",
  stage: "machine",
  graphs: ["evaluation"],
  apply: (graph, { machine }) =>
    transformGraph(graph, (node) => {
      if (!node.is(batchNormOperator) || node.shape.length !== 4) return undefined;
      const [x, scale, bias, mean, variance] = node.inputs as readonly [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      if (![scale, bias, mean, variance].every(isFixed)) return undefined;
      const affine = batchNormAffine({ scale, bias, mean, variance }, node.attributes.epsilon);
      return folded(x, affine.scale, affine.shift, machine);
    }),
} as const satisfies MachineRewrite;

/** Scales and shifts the outputs of a convolution with constant kernels, with or without an added bias. */
function folded(y: Tensor, scale: Tensor, shift: Tensor, machine: Machine): Tensor | undefined {
  const perChannel = (values: Tensor) => reshape(values, [1, values.shape[0]!, 1, 1]);
  if (y.is(conv2dOperator)) {
    const [x, weight, bias] = y.inputs as readonly [Tensor, Tensor, Tensor?];
    if (!isFixed(weight) || (bias && !isFixed(bias))) return undefined;
    const kernels = mul(weight, reshape(scale, [scale.shape[0]!, 1, 1, 1]));
    return y.with({ inputs: [x, kernels, bias ? add(mul(bias, scale), shift) : shift] });
  }
  if (y.is(mixedConv2dOperator)) {
    const [x, attention, experts, bias] = y.inputs as readonly [Tensor, Tensor, Tensor, Tensor?];
    if (!isFixed(experts)) return undefined;
    const mixed = [x, attention, mul(experts, reshape(scale, [1, scale.shape[0]!, 1, 1, 1]))];
    // The bias is mixed per sample, one number per channel.
    if (bias) return y.with({ inputs: [...mixed, add(mul(bias, scale), shift)] });
    return add(y.with({ inputs: mixed }), perChannel(shift));
  }
  if (y.is(perSampleConv2dOperator)) {
    const [x, kernels, bias] = y.inputs as readonly [Tensor, Tensor, Tensor?];
    const scaled = bias ? undefined : scaledKernels(kernels, scale, machine);
    return scaled && add(y.with({ inputs: [x, scaled] }), perChannel(shift));
  }
  if (!y.is(addOperator)) return undefined;
  const [one, other] = y.inputs as readonly [Tensor, Tensor];
  const [whole, bias] = isFixed(one) ? [other, one] : [one, other];
  if (!isFixed(bias) || whole.shape.join() !== y.shape.join()) return undefined;
  const sum = folded(whole, scale, shift, machine);
  return sum && add(sum, mul(bias, perChannel(scale)));
}

/**
 * Kernels per sample, [B, O, …], times a scale per output channel, if they are a product of something computed and of
 * constants, and each constant belongs to one output channel. Exported files keep one copy of the constants.
 */
function scaledKernels(kernels: Tensor, scale: Tensor, { portable, profile }: Machine): Tensor | undefined {
  const found = rearrangedProduct(kernels);
  if (found === undefined) return undefined;
  const { product, moves, columns, layout } = found;
  const [a, b] = product.inputs as readonly [Tensor, Tensor];
  const outputs = layout[1]!;
  const bytes = 4 * elementCount(b.shape);
  if (portable || bytes > profile.mixedKernels.mostCopied || !isFixed(b)) return undefined;
  if (outputs.some(({ stride }) => stride >= columns)) return undefined;
  const inOrder = outputs.toSorted(byStride);
  const byOutput = transpose(
    reshape(scale, outputs.map(sizeOf)),
    inOrder.map((part) => outputs.indexOf(part)),
  );
  const parts = layout
    .flat()
    .filter(({ stride }) => stride < columns)
    .toSorted(byStride);
  const perColumn = reshape(
    byOutput,
    parts.map((part) => (outputs.includes(part) ? part.size : 1)),
  );
  const scaled = mul(reshape(b, [-1, ...parts.map(sizeOf)]), perColumn);
  return moves.reduce(
    (result, move) => move.with({ inputs: [result] }),
    product.with({ inputs: [a, reshape(scaled, b.shape)] }),
  );
}
