import type { MixedKernelsProfile, Tensor } from "../ir/index.js";
import { matmul, reshape, reshapeOperator, transpose } from "../ops/index.js";
import { elementCount } from "../util/shape.js";
import {
  byStride,
  type Part,
  type RearrangedProduct,
  rearrangedProduct,
  rearranges,
  sizeOf,
} from "./rearranged-products.js";
import type { MachineRewrite } from "./rewrite.js";
import { isFixed, readersOf, transformGraph } from "./transform.js";

/**
 * A · B, rearranged afterwards, with B known at export: the columns of B are brought into the final order beforehand,
 * and at most one transposition moves what is left, in long runs. The kernels of a KernelWarehouse are such products,
 * moved three times on their way into blocks.
 */
export const orderedProducts = {
  name: "ordered-products",
  sentence: "rearranges a constant factor instead of the product",
  stage: "machine",
  graphs: ["evaluation"],
  apply: (graph, { machine }) => {
    const readers = readersOf(graph);
    const isReadOnce = (node: Tensor) => readers.get(node)!.length === 1;
    const isMovedOn = (node: Tensor) =>
      isReadOnce(node) && readers.get(node)!.every((reader) => reader !== undefined && rearranges(reader));
    return transformGraph(graph, (node, original) => {
      if (!rearranges(original) || isMovedOn(original)) return undefined;
      const found = sourcesOf(original).every(isReadOnce) ? rearrangedProduct(node) : undefined;
      return found && ordered(found, machine.profile.mixedKernels);
    });
  },
} as const satisfies MachineRewrite;

/** What a tensor was moved from, step by step. */
function sourcesOf(moved: Tensor): readonly Tensor[] {
  if (!rearranges(moved)) return [];
  const source = moved.inputs[0]!;
  return [source, ...sourcesOf(source)];
}

/** The product with the columns of B in their final order; `undefined` if no transposition is saved. */
function ordered(
  { product, moves, columns, layout }: RearrangedProduct,
  { leastRun }: MixedKernelsProfile,
): Tensor | undefined {
  const [a, b] = product.inputs as readonly [Tensor, Tensor];
  if (product.shape.includes("batch") || !isFixed(b)) return;
  const inner = b.shape[0] as number;
  const parts = layout.flat();
  const within = parts.filter(({ stride }) => stride < columns);
  const across = parts.filter(({ stride }) => stride >= columns);
  const length = elementCount(
    parts.slice(parts.findLastIndex(({ stride }) => stride >= columns) + 1).map(sizeOf),
  );
  if (length < leastRun) return;

  const inOrder = within.toSorted(byStride);
  const apart = reshape(b, [inner, ...inOrder.map(sizeOf)]);
  const reordered = transpose(apart, [0, ...within.map((part) => 1 + inOrder.indexOf(part))]);
  const result = matmul(unjoined(a), reshape(reordered, [inner, columns]));
  const computed = [...across.toSorted(byStride), ...within];
  const runs = runsOf(parts, computed);
  const sorted = runs.toSorted((a, b) => computed.indexOf(a[0]!) - computed.indexOf(b[0]!));
  const spread = transpose(
    reshape(
      result,
      sorted.map((run) => elementCount(run.map(sizeOf))),
    ),
    runs.map((run) => sorted.indexOf(run)),
  );
  const transpositions = moves.filter((move) => !move.is(reshapeOperator)).length;
  const left = runs.length > 1 ? 1 : 0;
  return left < transpositions ? reshape(spread, moves.at(-1)!.shape) : undefined;
}

/** Rows, as they were before a reshape that only joined their axes. */
function unjoined(rows: Tensor): Tensor {
  const before = rows.is(reshapeOperator) ? rows.inputs[0]! : rows;
  return before.shape.length > 1 && before.shape.at(-1) === rows.shape.at(-1) ? before : rows;
}

/** Joins what stays together. */
function runsOf(parts: readonly Part[], before: readonly Part[]): readonly (readonly Part[])[] {
  const runs: Part[][] = [];
  for (const part of parts) {
    const last = runs.at(-1);
    if (last && before.indexOf(part) === before.indexOf(last.at(-1)!) + 1) last.push(part);
    else runs.push([part]);
  }
  return runs;
}
