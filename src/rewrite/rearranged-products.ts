/** Products A · B that are rearranged afterwards, as mixed kernels are on their way to a convolution. */
import type { Tensor } from "../ir/index.js";
import { matmulOperator, reshapeOperator, toBlockedOperator, transposeOperator } from "../ops/index.js";
import { elementCount } from "../util/shape.js";

/** A product of a matrix B with whatever rows, and where its elements went. */
export interface RearrangedProduct {
  readonly product: Tensor;
  /** Reshapes, transpositions and conversions into blocks, in order. */
  readonly moves: readonly Tensor[];
  /** Number of columns of B. */
  readonly columns: number;
  /** The layout of the last result. */
  readonly layout: Layout;
}

/** An axis, or a part of one, by where it is in the product [rows, columns]. */
export interface Part {
  readonly size: number;
  readonly stride: number;
}

/** Each axis of a rearranged product, as the parts that it consists of. An open batch is left out. */
export type Layout = readonly (readonly Part[])[];

/** Whether a node moves elements in a way that {@link rearrangedProduct} follows. */
export function rearranges(node: Tensor): boolean {
  return node.is(reshapeOperator) || node.is(transposeOperator) || node.is(toBlockedOperator);
}

/** The product behind a tensor; `undefined` if there is none, or if its axes were split unevenly. */
export function rearrangedProduct(tensor: Tensor): RearrangedProduct | undefined {
  const moves: Tensor[] = [];
  let product = tensor;
  for (; rearranges(product); product = product.inputs[0]!) moves.unshift(product);
  const [, b] = product.inputs;
  if (!product.is(matmulOperator) || b!.shape.length !== 2) return undefined;
  const columns = b!.shape[1] as number;
  const sizes = sizesOf(product);
  const start = [
    [{ size: elementCount(sizes) / columns, stride: columns }],
    [{ size: columns, stride: 1 }],
  ] as const;
  const layout = moves.reduce<Layout | undefined>(
    (before, move) => before && moved(before, move),
    regrouped(start, sizes),
  );
  return layout && { product, moves, columns, layout };
}

export const sizeOf = ({ size }: Part) => size;
export const byStride = (a: Part, b: Part) => b.stride - a.stride;

/** The sizes of a tensor, with 1 for an open batch. */
function sizesOf({ shape }: Tensor): readonly number[] {
  return shape.map((size) => (size === "batch" ? 1 : size));
}

/** The layout after a reshape, a transposition or a conversion into blocks. */
function moved(layout: Layout, move: Tensor): Layout | undefined {
  const sizes = sizesOf(move);
  if (move.is(transposeOperator)) return move.attributes.permutation.map((axis) => layout[axis]!);
  if (move.is(reshapeOperator)) return regrouped(layout, sizes);
  const [batch, blocks, height, width, block] = sizes;
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
