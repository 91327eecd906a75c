/**
 * Blocked convolutions by kernels that are given in plain order: one set of them for all samples, or one that is mixed
 * from experts for each.
 */
import { any, behind, pattern, type Tensor } from "../ir/index.js";
import {
  type BlockedConvolutionOptions,
  blockedConv2d,
  blockWeights,
  concat,
  constant,
  gather,
  matmul,
  matmulOperator,
  reshape,
  reshapeOperator,
  slice,
  toBlocked,
  transpose,
} from "../ops/index.js";

type Sizes = readonly [number, number, number, number];

/** Puts the weights of convolutions that lie side by side, `groups` of them, into blocked order. */
export type Order = (weight: Tensor, groups: number, block: number) => Tensor;

/** As the forward pass reads them. */
export const blockOrder: Order = (weight, _, block) => blockWeights(weight, block);

/** As the gradient by the input reads them: [G·O, C, kh, kw] → [G·C/b, O/b, kh, kw, b, b], taps reversed. */
export const turnedOrder: Order = (weight, groups, block) => {
  const [all, channels, height, width] = weight.shape as Sizes;
  const out = all / groups;
  const taps = height * width;
  const byInput = toBlocked(reshape(weight, [all, channels, taps, 1]), block);
  const grouped = reshape(byInput, [groups, out / block, block, channels / block, taps, block]);
  const exchanged = transpose(grouped, [0, 3, 1, 4, 2, 5]);
  const backwards = constant(BigInt64Array.from({ length: taps }, (_, i) => BigInt(taps - 1 - i)));
  const turned = taps === 1 ? exchanged : gather(exchanged, backwards, 3);
  return reshape(turned, [(groups * channels) / block, out / block, height, width, block, block]);
};

/** The kernels of a convolution, in plain order, and the order that they are wanted in. */
interface Kernels {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly order: Order;
}

/**
 * A blocked convolution by kernels in plain order.
 *
 * @param image blocked, or plain with fewer channels than a block
 */
export function convolve(
  image: Tensor,
  { weight, bias, order }: Kernels,
  options: BlockedConvolutionOptions & { readonly groups: number },
  block: number,
): Tensor {
  const mixture = findMixture(weight, options.groups);
  if (mixture === undefined) return blockedConv2d(image, order(weight, options.groups, block), bias, options);
  return convolveMixture(image, { ...mixture, bias, order }, options, block);
}

/** Kernels that are mixed from experts, each sample's for itself. */
interface Mixture {
  /** π [B, K] */
  readonly attention: Tensor;
  /** [K, …], each of the shape of one sample's kernels */
  readonly experts: Tensor;
  readonly groupsPerSample: number;
}

const isMatrix = ({ shape }: Tensor) => shape.length === 2;

/** π · W, where the product may lie in another shape. */
const MIXTURE = behind(
  reshapeOperator,
  pattern(matmulOperator, any("attention", isMatrix), any("experts", isMatrix)),
);

/** Recognises weights that are π · W. */
function findMixture(weight: Tensor, groups: number): Mixture | undefined {
  const found = MIXTURE.match(weight);
  if (found === undefined) return undefined;
  const { attention, experts } = found;
  const samples = attention.shape[0] as number;
  if (groups % samples !== 0) return undefined;
  const [rows, ...inner] = weight.shape as Sizes;
  const shape = [experts.shape[0] as number, rows / samples, ...inner];
  return { attention, experts: reshape(experts, shape), groupsPerSample: groups / samples };
}

/** Kernels that are mixed before they are used: as many as stay in the processor's cache meanwhile. */
const MIXED_BYTES = 6e6;
/** Parts of a batch that are mixed apart, at most: each takes a session longer to open. */
const MOST_PARTS = 64;

/**
 * Each sample convolved with its own mixture, a few samples at a time, so that their kernels need not go through
 * main memory. They are mixed from experts in blocked order: those of a network that is not trained any more are
 * put into it once, when the graph is written.
 */
function convolveMixture(
  image: Tensor,
  { attention, experts, groupsPerSample, bias, order }: Mixture & Omit<Kernels, "weight">,
  options: BlockedConvolutionOptions,
  block: number,
): Tensor {
  const [count, rows, ...inner] = experts.shape as readonly number[];
  const ordered = order(reshape(experts, [count! * rows!, ...inner]), count! * groupsPerSample, block);
  const [orderedRows, ...orderedInner] = ordered.shape as readonly number[];
  const flat = reshape(ordered, [count!, -1]);
  const kernelBytes = 4 * (flat.shape[1] as number);
  const samples = attention.shape[0] as number;
  const cached = Math.max(1, Math.round(MIXED_BYTES / kernelBytes));
  const atOnce = Math.min(samples, Math.max(cached, Math.ceil(samples / MOST_PARTS)));

  const part = (x: Tensor, axis: number, start: number, end: number) => {
    const share = (x.shape[axis] as number) / samples;
    return slice(x, { axis, start: start * share, end: end * share });
  };
  const results = Array.from({ length: Math.ceil(samples / atOnce) }, (_, i) => {
    const start = i * atOnce;
    const end = Math.min(samples, start + atOnce);
    const kernels = reshape(matmul(part(attention, 0, start, end), flat), [
      ((end - start) * orderedRows!) / count!,
      ...orderedInner,
    ]);
    return blockedConv2d(part(image, 1, start, end), kernels, bias && part(bias, 0, start, end), {
      ...options,
      groups: (end - start) * groupsPerSample,
    });
  });
  return concat(results, 1);
}
