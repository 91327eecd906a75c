/** Blocked convolutions with kernels in plain order: shared by all samples, or mixed from experts per sample. */
import type { Machine, Tensor } from "../ir/index.js";
import {
  type BlockedConvolutionOptions,
  blockedConv2d,
  blockWeights,
  concat,
  constant,
  gather,
  matmul,
  reshape,
  slice,
  toBlocked,
  transpose,
} from "../ops/index.js";

type Sizes = readonly [number, number, number, number];

/** Converts the weights of `groups` convolutions, concatenated along axis 0, into blocked order. */
export type Order = (weight: Tensor, groups: number, block: number) => Tensor;

/** The order that the forward pass needs. */
export const blockOrder: Order = (weight, _, block) => blockWeights(weight, block);

/**
 * The order that the gradient with respect to the input needs: [G·O, C, kh, kw] → [G·C/b, O/b, kh, kw, b, b], taps
 * reversed.
 */
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

/** Kernels of a convolution in plain order: [O, C/groups, kh, kw] and a bias [O]. */
interface PlainKernels {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
}

/** Kernels mixed from experts per sample. */
interface MixedKernels {
  /** π [B, K] */
  readonly attention: Tensor;
  /** [K, O, C/groups, kh, kw] */
  readonly experts: Tensor;
  /** [B, O] */
  readonly bias: Tensor | undefined;
}

/** Kernels of a convolution. Mixed kernels make it a convolution with a group per sample. */
export type Kernels = PlainKernels | MixedKernels;

/**
 * Blocked convolution with kernels in plain order.
 *
 * @param image blocked, or plain with fewer channels than a block
 * @param order the blocked order to convert them into
 */
export function convolve(
  image: Tensor,
  kernels: Kernels,
  order: Order,
  options: BlockedConvolutionOptions & { readonly groups: number },
  machine: Machine,
): Tensor {
  const { block } = machine;
  if ("experts" in kernels) return convolveMixture(image, kernels, order, options, machine);
  return blockedConv2d(image, order(kernels.weight, options.groups, block), kernels.bias, options);
}

/**
 * Convolves each sample with its own mixture, a few samples at a time, so that their kernels stay in the cache. Mixes
 * experts that are already in blocked order: for a network that is no longer trained, they are converted once, at
 * export.
 */
function convolveMixture(
  image: Tensor,
  { attention, experts, bias }: MixedKernels,
  order: Order,
  options: BlockedConvolutionOptions & { readonly groups: number },
  { block, profile }: Machine,
): Tensor {
  const [count, rows, ...inner] = experts.shape as readonly number[];
  const samples = attention.shape[0] as number;
  const groupsPerSample = options.groups / samples;
  const ordered = order(reshape(experts, [count! * rows!, ...inner]), count! * groupsPerSample, block);
  const [orderedRows, ...orderedInner] = ordered.shape as readonly number[];
  const flat = reshape(ordered, [count!, -1]);
  const kernelBytes = 4 * (flat.shape[1] as number);
  const { bytesAtOnce, mostParts } = profile.mixedKernels;
  const cached = Math.max(1, Math.round(bytesAtOnce / kernelBytes));
  const atOnce = Math.min(samples, Math.max(cached, Math.ceil(samples / mostParts)));

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
    return blockedConv2d(
      part(image, 1, start, end),
      kernels,
      bias && reshape(part(bias, 0, start, end), [-1]),
      {
        ...options,
        groups: (end - start) * groupsPerSample,
      },
    );
  });
  return concat(results, 1);
}
