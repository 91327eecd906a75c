import { any, behind, pattern, type Tensor } from "../ir/index.js";
import {
  conv2dWeightGradientOperator,
  matmul,
  matmulOperator,
  mul,
  mulOperator,
  reshape,
  reshapeOperator,
} from "../ops/index.js";
import { elementCount } from "../util/shape.js";
import type { MachineRewrite } from "./rewrite.js";
import { isFixed, readersOf, transformGraph } from "./transform.js";

/**
 * Moves a scalar factor of a product to where it costs least.
 *
 * s · (A · B) becomes (s · A) · B or A · (s · B), whichever factor is smaller. For the update of a linear layer, ONNX
 * Runtime then adds the product to the weight in one operator. (s · A) · B with a constant B becomes A · (s · B), where
 * s · B is folded at export. The gradient of a convolution with respect to its weight is such a product as well.
 */
export const scaledProducts = {
  name: "scaled-products",
  sentence: "scales the smaller factor instead of the product",
  stage: "machine",
  graphs: ["training", "evaluation"],
  apply: (graph) => {
    const readers = readersOf(graph);
    const isShared = (x: Tensor) => isProduct(x) && readers.get(x)!.length > 1;
    return transformGraph(
      graph,
      (node, { inputs }) => (inputs.some(isShared) ? undefined : scaledFactor(node)) ?? scaledConstant(node),
    );
  },
} as const satisfies MachineRewrite;

const isScalar = ({ shape }: Tensor) => shape.length === 0;
const isProduct = (x: Tensor) => x.is(matmulOperator) || x.is(conv2dWeightGradientOperator);

/** s · (A · B) */
const SCALED_PRODUCT = pattern(mulOperator, any("product", isProduct), any("s", isScalar));

function scaledFactor(node: Tensor): Tensor | undefined {
  const found = SCALED_PRODUCT.match(node);
  if (found === undefined) return undefined;
  const { product, s } = found;
  const [a, b] = product.inputs as readonly [Tensor, Tensor];
  if ([product, a, b].some(({ shape }) => shape.includes("batch"))) return undefined;
  const [whole, left, right] = [product, a, b].map(({ shape }) => elementCount(shape)) as [
    number,
    number,
    number,
  ];
  // What a convolution makes of x and dy is often shared with other directions; a scaled copy would not be.
  const most = product.is(matmulOperator) ? whole : whole / 16;
  if (Math.min(left, right) >= most) return undefined;
  return product.with({ inputs: left < right ? [mul(a, s), b] : [a, mul(b, s)] });
}

/** (s · X) · B with constants s and B, where s · X may be reshaped. */
const PRODUCT_OF_SCALED = pattern(
  matmulOperator,
  behind(
    reshapeOperator,
    pattern(
      mulOperator,
      any("x"),
      any("s", (s) => isScalar(s) && isFixed(s)),
    ),
  ),
  any("b", isFixed),
);

function scaledConstant(node: Tensor): Tensor | undefined {
  const found = PRODUCT_OF_SCALED.match(node);
  return found && matmul(reshape(found.x, node.inputs[0]!.shape), mul(found.b, found.s));
}
