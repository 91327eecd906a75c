import { ShapeError } from "../errors/index.js";

/** A size; `"batch"` is the open leading dimension. */
type Dim = number | "batch";

/** More axes are cut: no network has so many, and a message is to be read. */
const MOST_SHOWN = 8;

/** A shape, or another list, as text: `[64, 3, 128, 128]`; of more than 8, the first four and their number. */
export function formatShape(shape: readonly unknown[]): string {
  if (shape.length <= MOST_SHOWN) return `[${shape.join(", ")}]`;
  return `[${shape.slice(0, MOST_SHOWN / 2).join(", ")}, … ${shape.length} in all]`;
}

/** Whether two shapes are the same. */
export function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Number of elements. The error for an open batch names `operator`. */
export function elementCount(shape: readonly Dim[], operator = "size"): number {
  return staticShape(shape, operator).reduce((product, size) => product * size, 1);
}

/**
 * The shape as numbers.
 *
 * @throws ShapeError if the batch size is open
 */
export function staticShape(shape: readonly Dim[], operator: string): readonly number[] {
  if (shape.includes("batch")) {
    throw new ShapeError(operator, "a shape with known sizes", formatShape(shape), {
      hint: "an open batch works only where each sample is computed on its own; trace with a fixed batch size",
    });
  }
  return shape as readonly number[];
}

/** NumPy's broadcasting of two shapes. */
export function broadcastShapes(operator: string, a: readonly Dim[], b: readonly Dim[]): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1;
    const right = b[i - rank + b.length] ?? 1;
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    throw new ShapeError(
      operator,
      "shapes that broadcast (equal sizes, or 1, from the right)",
      `${formatShape(a)} and ${formatShape(b)}`,
    );
  });
}

/** Axes as numbers from 0, negative ones counted from the end, in ascending order. */
export function normalizeAxes(operator: string, axes: readonly number[], rank: number): number[] {
  const normalized = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  const valid = normalized.every((axis) => Number.isInteger(axis) && axis >= 0 && axis < rank);
  if (!valid || new Set(normalized).size !== axes.length) {
    throw new ShapeError(operator, `distinct axes of a tensor of rank ${rank}`, formatShape(axes));
  }
  return normalized.sort((a, b) => a - b);
}

/** Sizes for ONNX's Reshape, where 0 keeps the input's size on that axis: this preserves an open batch. */
export function keepingBatch(shape: readonly Dim[]): readonly number[] {
  return shape.map((size) => (size === "batch" ? 0 : size));
}
