import { multiplyAdds, type Tensor, type TensorOf, WORK_KINDS, type WorkKind } from "../../ir/index.js";
import {
  blockedConv2dOperator,
  type ConvolutionAttributes,
  constantOperator,
  conv2dOperator,
  conv2dWeightGradientOperator,
  convTranspose2dOperator,
  expertProductsOperator,
  gatherOperator,
  interleaveOperator,
  matmulOperator,
  mixExpertsOperator,
  padOperator,
  reshapeOperator,
  spreadExpertsOperator,
  takeTapOperator,
  transposeOperator,
} from "../../ops/index.js";
import { elementCount } from "../../util/shape.js";

/** Amount of work of each kind. Omitted kinds are 0. */
export type Work = Readonly<Partial<Record<WorkKind, number>>>;

const FLOAT_BYTES = 4;

/** Operators that move elements one by one or in short rows; other moves are in long rows. */
const TRANSPOSES: ReadonlySet<unknown> = new Set([
  transposeOperator,
  gatherOperator,
  interleaveOperator,
  takeTapOperator,
]);
/** Operators that multiply by attention, in one pass or two. */
const MIXES: ReadonlySet<unknown> = new Set([
  mixExpertsOperator,
  spreadExpertsOperator,
  expertProductsOperator,
]);

function operandBytes(node: Tensor): number {
  return FLOAT_BYTES * [node, ...node.inputs].reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

/**
 * The work of a node of a graph ready to be emitted, from its shapes.
 *
 * @param isFixed whether an operand is evaluated at export
 */
export function workOf(node: Tensor, isFixed: (operand: Tensor) => boolean): Work {
  const { operator, inputs } = node;
  if (operator.isFed || node.is(constantOperator) || node.is(reshapeOperator)) return {};
  const bytes = operandBytes(node);
  if (TRANSPOSES.has(operator)) return { transposedBytes: bytes, nodes: 1 };
  // Weighted outputs are written and read back before they are summed.
  const between = node.is(mixExpertsOperator) ? 2 * FLOAT_BYTES * elementCount(inputs[0]!.shape) : 0;
  if (MIXES.has(operator)) return { mixedBytes: bytes + between, nodes: 1 };
  if (operator.rearranges || node.is(padOperator)) return { movedBytes: bytes, nodes: 1 };
  const [x, weight] = inputs as readonly [Tensor, Tensor];
  if (node.is(blockedConv2dOperator)) {
    const summed = elementCount(weight.shape.slice(1, -1));
    const isDepthwise = x.shape.length === weight.shape.length;
    const kind = isDepthwise ? "fixedDepthwiseMultiplyAdds" : "blockedMultiplyAdds";
    return { [kind]: elementCount(node.shape) * summed, operandBytes: bytes, nodes: 1 };
  }
  if (node.is(conv2dOperator) || node.is(convTranspose2dOperator)) return convolution(node, bytes, isFixed);
  if (node.is(conv2dWeightGradientOperator)) {
    // A depthwise convolution builds the columns, which are then multiplied by dy.
    const { groups, kernel } = node.attributes;
    const taps = elementCount(kernel);
    const columns = elementCount(x.shape.slice(0, 2)) * taps * elementCount(weight.shape.slice(2));
    return {
      ...{ depthwiseMultiplyAdds: columns * taps, productMultiplyAdds: multiplyAdds(node) },
      ...{ movedBytes: bytes, operandBytes: bytes + 2 * FLOAT_BYTES * columns, products: groups, nodes: 6 },
      ...(groups > 1 && { transposedBytes: 2 * FLOAT_BYTES * elementCount(node.shape) }),
    };
  }
  if (node.is(matmulOperator)) {
    const products = elementCount(node.shape.slice(0, -2));
    return { productMultiplyAdds: multiplyAdds(node), operandBytes: bytes, products, nodes: 1 };
  }
  return { bytes, nodes: 1 };
}

function convolution(
  node: TensorOf<ConvolutionAttributes>,
  operandBytes: number,
  isFixed: (operand: Tensor) => boolean,
): Work {
  const [x, weight] = node.inputs as readonly [Tensor, Tensor];
  const [rows, perGroup] = weight.shape as readonly [number, number];
  const { groups } = node.attributes;
  const work = { operandBytes, nodes: 1 };
  if (perGroup === 1) {
    // One output per channel with constant kernels: the runtime uses its blocked layout by itself.
    const fixed = rows === groups && isFixed(weight);
    return { ...work, [fixed ? "fixedDepthwiseMultiplyAdds" : "depthwiseMultiplyAdds"]: multiplyAdds(node) };
  }
  const convolutionGroups = groups * (x.shape[0] as number);
  return { ...work, convolutionMultiplyAdds: multiplyAdds(node), convolutionGroups };
}

/** Sum of two amounts of work. */
export function addWork(a: Work, b: Work): Work {
  const kinds = WORK_KINDS.filter((kind) => kind in a || kind in b);
  return Object.fromEntries(kinds.map((kind) => [kind, (a[kind] ?? 0) + (b[kind] ?? 0)]));
}
