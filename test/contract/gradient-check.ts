import { grad } from "../../src/grad/index.js";
import type { Tensor } from "../../src/ir/index.js";
import { input, mul, sum } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { RandomStream } from "../../src/util/random.js";

/** Normal random numbers that depend on `purpose` alone. */
export function randomArray(length: number, purpose: string): Float32Array {
  const stream = new RandomStream(7, purpose);
  return Float32Array.from({ length }, () => stream.normal());
}

/** Number of elements of a shape. */
export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * The largest difference between the traced gradient of Σ fn(x)·w and central finite differences,
 * relative to the largest gradient.
 */
export async function gradientError(
  fn: (...inputs: Tensor[]) => Tensor,
  shapes: readonly (readonly number[])[],
  inputs: readonly Float32Array[] = shapes.map((shape, i) => randomArray(count(shape), `input ${i}`)),
): Promise<number> {
  const specs = shapes.map((shape) => spec(shape));
  const forward = await compile((...xs: Tensor[]) => fn(...xs), specs as never);
  const call = forward as unknown as (...xs: Float32Array[]) => Promise<Float32Array>;
  const y = await call(...inputs);
  const weights = randomArray(y.length, "weights");
  const objective = (values: Float32Array) =>
    values.reduce((total, value, i) => total + value * weights[i]!, 0);

  const outputShape = fn(...shapes.map((shape) => input("float32", shape))).shape;
  const gradient = await compile(
    ({ xs, w }: { xs: Tensor[]; w: Tensor }) => grad((args: Tensor[]) => sum(mul(fn(...args), w)))(xs),
    [{ xs: specs, w: spec(outputShape) }] as never,
  );
  const analytic = await (gradient as unknown as (a: unknown) => Promise<Float32Array[]>)({
    xs: inputs,
    w: weights,
  });

  const step = 1e-2;
  let worst = 0;
  let scale = 1e-3;
  for (const [n, x] of inputs.entries()) {
    const shifted = inputs.map((input) => input.slice());
    for (let i = 0; i < x.length; i++) {
      shifted[n]![i] = x[i]! + step;
      const above = objective(await call(...shifted));
      shifted[n]![i] = x[i]! - step;
      const below = objective(await call(...shifted));
      shifted[n]![i] = x[i]!;
      worst = Math.max(worst, Math.abs((above - below) / (2 * step) - analytic[n]![i]!));
      scale = Math.max(scale, Math.abs(analytic[n]![i]!));
    }
  }
  await forward.dispose();
  await gradient.dispose();
  return worst / scale;
}
