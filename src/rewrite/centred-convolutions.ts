import { Tensor, type TensorOf } from "../ir/index.js";
import {
  add,
  type ConvolutionAttributes,
  centredOperator,
  channelCentreOperator,
  constant,
  conv2dOperator,
  mul,
  neg,
  reshape,
  slice,
  sub,
  sum,
} from "../ops/index.js";
import { fractionInside } from "../ops/window.js";
import { elementCount } from "../util/shape.js";
import type { MachineRewrite } from "./rewrite.js";
import { readersOf, transformGraph } from "./transform.js";

/**
 * Lets a convolution subtract the centre of the batch normalisation behind it, as part of its bias, which saves two passes
 * over the output. Any number near the mean will do as centre: here, the mean of the output if every pixel of some images
 * were their mean. An eighth of the batch is enough. However much it differs from the rest, its own mean is at most √7 standard
 * deviations from that of the batch.
 */
export const centredConvolutions = {
  name: "centred-convolutions",
  sentence: "subtracts the centre of a batch norm in the convolution before it",
  stage: "machine",
  graphs: ["training"],
  apply: (graph) => {
    const readers = readersOf(graph);
    return transformGraph(graph, (node, { inputs: [original] }) => {
      if (!isCentring(node) || !original!.is(conv2dOperator) || !paysOff(original)) return undefined;
      if (!readers.get(original)!.every(isCentring)) return undefined;
      const [convolution, centre] = node.inputs as readonly [TensorOf<ConvolutionAttributes>, Tensor?];
      const [x, weight, bias] = convolution.inputs as readonly [Tensor, Tensor, Tensor?];
      if (centre === undefined) {
        const mean = likelyMean(convolution);
        return bias ? add(mean, bias) : mean;
      }
      return convolution.with({ inputs: [x, weight, bias ? sub(bias, centre) : neg(centre)] });
    });
  },
} as const satisfies MachineRewrite;

const isCentring = (node?: Tensor) => node?.is(centredOperator) || node?.is(channelCentreOperator);

/** The number of images whose mean is taken. */
const sampled = (x: Tensor) => Math.ceil((x.shape[0] as number) / 8);

/** Whether weights and sampled images are smaller than the output. */
function paysOff({ inputs: [x, weight], shape }: Tensor): boolean {
  if (shape.includes("batch")) return false;
  const images = elementCount([sampled(x!), ...x!.shape.slice(1)]);
  return images + elementCount(weight!.shape) < elementCount(shape);
}

/** The mean of the output, [O], if each channel of x were constant: its mean over the sampled images. */
function likelyMean({ inputs, shape, attributes }: TensorOf<ConvolutionAttributes>): Tensor {
  const [x, weight] = inputs as readonly [Tensor, Tensor];
  const [out, perGroup, ...taps] = weight.shape as readonly number[];
  const { stride, padding, dilation, groups } = attributes;
  const images = slice(x, { axis: 0, start: 0, end: sampled(x) });
  const mean = Tensor.apply(channelCentreOperator, [images], { blocked: false });
  const [above, beside] = taps.map((count, i) => {
    const sizes = { image: x.shape[i + 2] as number, taps: count, windows: shape[i + 2] as number };
    const along = { ...sizes, stride: stride[i]!, padding: padding[i]!, dilation: dilation[i]! };
    return Array.from({ length: count }, (_, tap) => fractionInside(tap, along));
  });
  const inside = above!.flatMap((row) => beside!.map((column) => row * column));
  const kernels = reshape(weight, [out! * perGroup!, inside.length]);
  const isWhole = inside.every((fraction) => fraction === 1);
  const totals = sum(isWhole ? kernels : mul(kernels, constant(Float32Array.from(inside))), { axes: [1] });
  const byGroup = mul(
    reshape(totals, [groups, out! / groups, perGroup!]),
    reshape(mean, [groups, 1, perGroup!]),
  );
  return reshape(sum(byGroup, { axes: [2] }), [out!]);
}
