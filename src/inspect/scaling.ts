import { type Module, ODConv2d } from "../nn/index.js";
import { elementCount } from "../util/shape.js";

/**
 * Multiply-adds of ODConv's scaling, which are not matrix products: inputs by a_c, outputs by a_f, a kernel
 * by a_s, and a_w with multiplications and additions counted separately. 0 for other layers. Without them,
 * four experts would seem cheaper than they are.
 *
 * @param input shape without the batch
 * @param output shape without the batch
 */
export function scalingMultiplyAdds(
  layer: Module,
  input: readonly number[],
  output: readonly number[],
): number {
  if (!(layer instanceof ODConv2d) || input.length === 0) return 0;
  const [experts, ...kernel] = layer.weight.shape as readonly [number, ...number[]];
  const { filter, spatial } = layer.branch;
  const passes = (spatial ? 1 : 0) + (experts - 1);
  return elementCount(input) + (filter ? elementCount(output) : 0) + passes * elementCount(kernel);
}
