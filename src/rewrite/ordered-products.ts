import type { MixedKernelsProfile, Tensor } from "../ir/index.js";
import {
  matmul,
  matmulOperator,
  reshape,
  reshapeOperator,
  toBlockedOperator,
  transpose,
  transposeOperator,
} from "../ops/index.js";
import { elementCount } from "../util/shape.js";
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
    const continues = (node: Tensor) => {
      const [reader, ...others] = readers.get(node)!;
      return reader !== undefined && others.length === 0 && rearranges(reader);
    };
    return transformGraph(graph, (node, original) => {
      if (!rearranges(original) || continues(original)) return undefined;
      const moves: Tensor[] = [];
      let [source, before] = [node, original];
      while (rearranges(source)) {
        moves.unshift(source);
        [source, before] = [source.inputs[0]!, before.inputs[0]!];
        if (readers.get(before)!.length > 1) return undefined;
      }
      return source.is(matmulOperator) ? ordered(source, moves, machine.profile.mixedKernels) : undefined;
    });
  },
} as const satisfies MachineRewrite;

function rearranges(node: Tensor): boolean {
  return node.is(reshapeOperator) || node.is(transposeOperator) || node.is(toBlockedOperator);
}

/** An axis, or a part of one, by where it is in the product [rows, columns]. */
interface Part {
  readonly size: number;
  readonly stride: number;
}

/** Each axis of a rearranged product, as the parts that it consists of. */
type Layout = readonly (readonly Part[])[];

/** The product with the columns of B in their final order; `undefined` if no transposition is saved. */
function ordered(
  product: Tensor,
  moves: readonly Tensor[],
  { leastRun }: MixedKernelsProfile,
): Tensor | undefined {
  const [a, b] = product.inputs as readonly [Tensor, Tensor];
  if (product.shape.includes("batch") || b.shape.length !== 2 || !isFixed(b)) return;
  const [inner, columns] = b.shape as readonly [number, number];
  const rows = elementCount(product.shape) / columns;
  const start: Layout = [[{ size: rows, stride: columns }], [{ size: columns, stride: 1 }]];
  const end = moves.reduce<Layout | undefined>(
    (layout, move) => layout && moved(layout, move),
    regrouped(start, product.shape as readonly number[]),
  );
  if (end === undefined) return;
  const parts = end.flat();
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

const sizeOf = ({ size }: Part) => size;
const byStride = (a: Part, b: Part) => b.stride - a.stride;

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

/** The layout after a reshape, a transposition or a conversion into blocks. */
function moved(layout: Layout, move: Tensor): Layout | undefined {
  const shape = move.shape as readonly number[];
  if (move.is(transposeOperator)) return move.attributes.permutation.map((axis) => layout[axis]!);
  if (move.is(reshapeOperator)) return regrouped(layout, shape);
  const [batch, blocks, height, width, block] = shape;
  const apart = regrouped(layout, [batch!, blocks!, block!, height!, width!]);
  return apart && [0, 1, 3, 4, 2].map((axis) => apart[axis]!);
}

/** Splits parts where the new axes need it; `undefined` where they do not divide. */
function regrouped(layout: Layout, shape: readonly number[]): Layout | undefined {
  const parts = layout.flat();
  const axes: Part[][] = [];
  for (const size of shape) {
    const axis: Part[] = [];
    for (let left = size; left > 1; ) {
      const part = parts.shift()!;
      if (part.size <= left) {
        if (left % part.size !== 0) return undefined;
        if (part.size > 1) axis.push(part);
        left /= part.size;
      } else {
        if (part.size % left !== 0) return undefined;
        const inner = part.size / left;
        axis.push({ size: left, stride: part.stride * inner });
        parts.unshift({ size: inner, stride: part.stride });
        left = 1;
      }
    }
    axes.push(axis);
  }
  return axes;
}
