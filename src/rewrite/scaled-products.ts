import { any, behind, named, pattern, type Tensor } from "../ir/index.js";
import { matmul, matmulOperator, mul, mulOperator, reshape, reshapeOperator } from "../ops/index.js";
import { elementCount } from "../util/shape.js";
import type { MachineRewrite } from "./rewrite.js";
import { isFixed, transformGraph } from "./transform.js";

/**
 * Moves a scalar factor of a matrix product to where it costs least.
 *
 * s · (A · B) becomes (s · A) · B or A · (s · B), whichever factor is smaller. For the update of a linear layer, ONNX
 * Runtime then adds the product to the weight in one operator. (s · A) · B with a constant B becomes A · (s · B), where
 * s · B is folded at export.
 */
export const scaledProducts = {
  name: "scaled-products",
  sentence: "scales the smaller factor instead of the product",
  stage: "machine",
  graphs: ["training", "evaluation"],
  apply: (graph) => transformGraph(graph, (node) => scaledFactor(node) ?? scaledConstant(node)),
} as const satisfies MachineRewrite;

const isScalar = ({ shape }: Tensor) => shape.length === 0;

/** s · (A · B) */
const SCALED_PRODUCT = pattern(
  mulOperator,
  named("product", matmulOperator, any("a"), any("b")),
  any("s", isScalar),
);

function scaledFactor(node: Tensor): Tensor | undefined {
  const found = SCALED_PRODUCT.match(node);
  if (found === undefined) return undefined;
  const { product, a, b, s } = found;
  if ([product, a, b].some(({ shape }) => shape.includes("batch"))) return undefined;
  const [whole, left, right] = [product, a, b].map(({ shape }) => elementCount(shape)) as [
    number,
    number,
    number,
  ];
  if (Math.min(left, right) >= whole) return undefined;
  return left < right ? matmul(mul(a, s), b) : matmul(a, mul(b, s));
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
