import type { Dim, TensorType } from "../ir/index.js";
import type { OnnxBuilder } from "../onnx/builder.js";

/**
 * Values that one ReduceSum adds up. The error grows with their number: up to 10⁻⁵ of the sum for 1,000 equal values,
 * 10⁻³ for 100,000. The runtime adds neighbours in several vectors side by side, but rows one after another.
 */
const LONGEST = { neighbours: 1024, rows: 128 };

/** Neighbouring axes that are all reduced or all kept. A size of −1 contains the open batch. */
interface Run {
  readonly size: number;
  readonly reduced: boolean;
}

/** Writes a sum over axes, or that of the squares. Many values are summed in stages, each of few. */
export function emitSum(
  onnx: OnnxBuilder,
  type: "ReduceSum" | "ReduceSumSquare",
  x: string,
  { dtype, shape }: TensorType,
  axes: readonly number[],
  keepDims: boolean,
): string {
  const reduced = axes.map((axis) => shape[axis]!);
  const kept = shape.flatMap((size, axis) => {
    if (axes.includes(axis)) return keepDims ? [1] : [];
    return [size === "batch" ? -1 : size];
  });
  if (type === "ReduceSum" && reduced.every((size) => size === 1)) {
    return onnx.reshape(x, kept, shape.includes("batch") ? undefined : (shape as readonly number[]));
  }
  let runs = runsOf(shape, axes);
  const longest = runs.at(-1)?.reduced ? LONGEST.neighbours : LONGEST.rows;
  const few =
    reduced.includes("batch") || reduced.reduce<number>((n, size) => n * Number(size), 1) <= longest;
  if (dtype !== "float32" || few) return onnx.reduce(type, x, axes, keepDims);

  let sum = x;
  let stage = type;
  // The last axes first, whose elements lie side by side in memory.
  for (let i = lastReduced(runs); i >= 0; i = lastReduced(runs)) {
    const { size } = runs[i]!;
    const [before, after] = [runs.slice(0, i), runs.slice(i + 1)];
    const length = stageLength(size, after.length > 0 ? LONGEST.rows : LONGEST.neighbours);
    const rows = Math.ceil(size / length);
    const missing = rows * length - size;
    if (missing > 0) {
      const zeros = [...before.map(() => 0), missing, ...after.map(() => 0)];
      sum = onnx.pad(
        onnx.reshape(sum, sizesOf(runs)),
        runs.map(() => 0),
        zeros,
      );
    }
    // Between other axes, rows that lie apart are added: long vectors, which is fastest.
    const between = before.length > 0 && after.length > 0;
    const rest = rows === 1 ? [] : [{ size: rows, reduced: true }];
    const split = between ? [length, ...sizesOf(rest)] : [...sizesOf(rest), length];
    sum = onnx.reshape(sum, [...sizesOf(before), ...split, ...sizesOf(after)]);
    sum = onnx.reduce(stage, sum, [before.length + (between ? 0 : rest.length)], false);
    runs = [...before, ...rest, ...after];
    stage = "ReduceSum";
  }
  return onnx.reshape(sum, kept);
}

function runsOf(shape: readonly Dim[], axes: readonly number[]): readonly Run[] {
  const runs: Run[] = [];
  for (const [axis, dim] of shape.entries()) {
    if (dim === 1) continue;
    const reduced = axes.includes(axis);
    const size = dim === "batch" ? -1 : dim;
    const last = runs.at(-1);
    if (last?.reduced !== reduced) runs.push({ size, reduced });
    else runs[runs.length - 1] = { size: last.size < 0 ? -1 : last.size * size, reduced };
  }
  return runs;
}

const lastReduced = (runs: readonly Run[]) => runs.findLastIndex(({ reduced }) => reduced);
const sizesOf = (runs: readonly Run[]) => runs.map(({ size }) => size);

/**
 * How many of `count` values the next stage adds up: all if they are at most `longest`, otherwise about as many as the
 * stages after it. It divides the count unless all such divisors are far off; the values are then padded, which copies
 * them.
 */
function stageLength(count: number, longest: number): number {
  if (count <= longest) return count;
  const stages = Math.ceil(Math.log(count) / Math.log(longest));
  const ideal = Math.ceil(count ** (1 / stages));
  const divides = (length: number) => count % length === 0;
  for (let length = ideal; length <= longest; length++) if (divides(length)) return length;
  for (let length = ideal; length > ideal / 8; length--) if (divides(length)) return length;
  return ideal;
}
