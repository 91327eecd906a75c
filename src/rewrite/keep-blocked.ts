import type { Tensor } from "../ir/index.js";
import { fromBlocked, fromBlockedOperator, reshape, toBlocked } from "../ops/index.js";
import { sameShape } from "../util/shape.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

/**
 * Computes what lies between two blocked convolutions in the blocked layout as well, which removes the conversions
 * between them: f(fromBlocked(z)) becomes fromBlocked(f(z)), and toBlocked(fromBlocked(z)) becomes z.
 */
export const keptBlocked = {
  name: "keep-blocked",
  sentence: "stays in that layout from one convolution to the next",
  stage: "machine",
  blockedLayout: true,
  graphs: ["training", "evaluation"],
  apply: (graph, { machine: { block } }) =>
    transformGraph(graph, (node) => {
      if (node.inputs.every((input) => blockedSource(input) === undefined)) return undefined;
      const blocked = node.operator.elementwise ? elementwise(node, block) : imagewise(node, block);
      return blocked && (isBlocked(blocked, node) ? fromBlocked(blocked) : blocked);
    }),
} as const satisfies MachineRewrite;

/** The blocked tensor that `x` was converted from, if any. */
function blockedSource(x: Tensor): Tensor | undefined {
  return x.is(fromBlockedOperator) ? x.inputs[0] : undefined;
}

function isBlocked(result: Tensor, node: Tensor): boolean {
  return result.shape.length === 5 && node.shape.length === 4;
}

/** Elementwise operators work on blocked tensors unchanged; broadcast operands are reshaped to match. */
function elementwise(node: Tensor, block: number): Tensor | undefined {
  const whole = node.inputs.some((input) => blockedSource(input) && sameShape(input.shape, node.shape));
  if (!whole || [node, ...node.inputs].some(({ dtype }) => dtype !== "float32")) return undefined;
  return node.with({ inputs: node.inputs.map((input) => blockedOperand(input, block)) });
}

/** An operand of an elementwise operator whose other operand is blocked. */
function blockedOperand(x: Tensor, block: number): Tensor {
  const source = blockedSource(x);
  if (source || x.shape.length === 0) return source ?? x;
  const [batch, channels, height, width] = [...Array(4 - x.shape.length).fill(1), ...x.shape] as number[];
  if (channels === 1) return reshape(x, [batch!, 1, height!, width!, 1]);
  if (height === 1 && width === 1) return reshape(x, [batch!, channels! / block, 1, 1, block]);
  return toBlocked(reshape(x, [batch!, channels!, height!, width!]), block);
}

/**
 * Uses the operator's `inBlocks`. Inputs shaped like the result are converted; other images must already be blocked.
 */
function imagewise(node: Tensor, block: number): Tensor | undefined {
  const { operator, attributes } = node;
  // Checked first: weights can have the result's shape, and are no images to convert.
  if (operator.inBlocks === undefined) return undefined;
  const inputs = node.inputs.map((input) => {
    if (input.shape.length !== 4) return input;
    return blockedSource(input) ?? (sameShape(input.shape, node.shape) ? toBlocked(input, block) : undefined);
  });
  if (!inputs.every((input) => input !== undefined)) return undefined;
  return operator.inBlocks({ inputs, output: node, attributes });
}
