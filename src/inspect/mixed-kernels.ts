import { type InferOptions, infer } from "../infer/infer.js";
import type { Pixels } from "../infer/samples.js";
import { type Tensor, topologicalOrder } from "../ir/index.js";
import type { Applied } from "../nn/index.js";
import { mixedConv2dOperator, mixKernels, perSampleConv2dOperator } from "../ops/index.js";
import type { MixedKernels } from "../report/index.js";
import type { OpenRun } from "../runs/open-run.js";
import { staticShape } from "../util/shape.js";

/** Number of slices to show per layer. */
const SLICES = 14;

/**
 * The kernels that each dynamic convolution mixes for images. A slice is one input channel of one output
 * channel; per layer, the slices that vary most between images are returned.
 *
 * @param pixels a few images, as all kernels of each are read
 */
export async function readMixedKernels(
  run: OpenRun,
  pixels: Pixels,
  options: InferOptions = {},
): Promise<readonly MixedKernels[]> {
  const shapes = new Map<string, readonly number[]>();
  const rows = await infer(
    run,
    pixels,
    ({ output }: Applied) => {
      const kernels: Record<string, Tensor> = {};
      for (const node of topologicalOrder([output])) {
        const found = kernelsOf(node);
        if (found === undefined || kernels[node.scope] !== undefined) continue;
        kernels[node.scope] = found;
        shapes.set(node.scope, staticShape(found.shape, "mixed kernels").slice(1));
      }
      return kernels;
    },
    options,
  );
  return Array.from(shapes, ([name, shape]) => mostDifferent(name, rows[name]!, shape));
}

/** The per-sample kernels that a convolution applies, [B, O, C/groups, kh, kw]. */
function kernelsOf(node: Tensor): Tensor | undefined {
  if (node.is(mixedConv2dOperator)) return mixKernels(node.inputs[1]!, node.inputs[2]!);
  if (node.is(perSampleConv2dOperator)) return node.inputs[1]!;
  return undefined;
}

function mostDifferent(
  name: string,
  images: readonly Float32Array[],
  shape: readonly number[],
): MixedKernels {
  const [, , height, width] = shape as readonly [number, number, number, number];
  const area = height * width;
  const count = images[0]!.length / area;
  const sliceOf = (kernels: Float32Array, n: number) => kernels.subarray(n * area, (n + 1) * area);
  const mean = images[0]!.map((_, i) => images.reduce((sum, row) => sum + row[i]!, 0) / images.length);
  const spread = Array.from({ length: count }, (_, n) =>
    images.reduce(
      (sum, row) =>
        sum + sliceOf(row, n).reduce((inner, value, i) => inner + (value - mean[n * area + i]!) ** 2, 0),
      0,
    ),
  );
  const chosen = spread
    .map((value, n) => ({ value, n }))
    .sort((a, b) => b.value - a.value)
    .slice(0, SLICES)
    .map(({ n }) => n);
  const slicesOf = (kernels: Float32Array) => chosen.map((n) => Array.from(sliceOf(kernels, n)));
  return { name, height, width, mean: slicesOf(mean), images: images.map(slicesOf) };
}
