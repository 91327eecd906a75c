import { expectWhole } from "../../errors/expect.js";
import { ShapeError, UsageError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import {
  add,
  type Convolution3dOptions,
  type ConvolutionOptions,
  conv2d,
  conv3d,
  convolutionAttributes,
  convTranspose2d,
  type PairOption,
  reshape,
  type TripleOption,
  toPair,
  toTriple,
} from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { kaimingNormal, zerosInit } from "../initializers.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";

/** Options of {@link Conv2d}. */
export interface Conv2dOptions extends ConvolutionOptions {
  /** Adds a bias per channel. Defaults to `true`. */
  readonly bias?: boolean;
}

/** Options of {@link Conv1d}. */
export interface Conv1dOptions {
  /** Stride of the window. Defaults to 1. */
  readonly stride?: number;
  /** Zero padding on each side. Defaults to 0. */
  readonly padding?: number;
  /** Spacing between kernel taps. Defaults to 1. */
  readonly dilation?: number;
  /** Splits the channels into this many independent convolutions. Defaults to 1. */
  readonly groups?: number;
  /** Adds a bias per channel. Defaults to `true`. */
  readonly bias?: boolean;
}

/** Options of {@link Conv3d}. */
export interface Conv3dOptions extends Convolution3dOptions {
  /** Adds a bias per channel. Defaults to `true`. */
  readonly bias?: boolean;
}

/** Options of {@link ConvTranspose2d}. */
export interface ConvTranspose2dOptions extends Conv2dOptions {
  /** Added to one side of the output; less than the stride or the dilation. Defaults to 0. */
  readonly outputPadding?: PairOption;
}

/** Channels of a convolution layer. */
interface ConvolutionSizes {
  readonly inChannels: number;
  readonly outChannels: number;
}

/** @throws UsageError for channels that are not whole numbers or not multiples of `groups` */
function expectGroups({ inChannels, outChannels }: ConvolutionSizes, groups: number): void {
  expectWhole("inChannels", inChannels);
  expectWhole("outChannels", outChannels);
  expectWhole("groups", groups);
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new UsageError(`${groups} groups do not divide ${inChannels} and ${outChannels} channels`);
  }
}

/**
 * Shape of a convolution layer's weight, [outChannels, inChannels / groups, kh, kw].
 *
 * @throws UsageError for invalid sizes and options
 */
export function convolutionShape(
  sizes: ConvolutionSizes & { readonly kernelSize: PairOption },
  options: ConvolutionOptions,
): readonly number[] {
  const { groups } = convolutionAttributes(options);
  expectGroups(sizes, groups);
  const { inChannels, outChannels, kernelSize } = sizes;
  return [outChannels, inChannels / groups, ...toPair("kernelSize", kernelSize, 1)];
}

/** Shape of the weight of a convolution over sequences, [outChannels, inChannels / groups, k], with the same checks. */
export function convolution1dShape(
  sizes: ConvolutionSizes & { readonly kernelSize: number },
  options: Conv1dOptions,
): readonly number[] {
  const { inChannels, outChannels, kernelSize } = sizes;
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  expectGroups(sizes, groups);
  expectWhole("kernelSize", kernelSize);
  expectWhole("stride", stride);
  expectWhole("padding", padding, 0);
  expectWhole("dilation", dilation);
  return [outChannels, inChannels / groups, kernelSize];
}

/**
 * Shape of the weight of a convolution over volumes, [outChannels, inChannels / groups, kd, kh, kw], with the same
 * checks.
 */
export function convolution3dShape(
  sizes: ConvolutionSizes & { readonly kernelSize: TripleOption },
  options: Convolution3dOptions,
): readonly number[] {
  const { inChannels, outChannels, kernelSize } = sizes;
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  expectGroups(sizes, groups);
  toTriple("stride", stride, 1);
  toTriple("padding", padding, 0);
  toTriple("dilation", dilation, 1);
  return [outChannels, inChannels / groups, ...toTriple("kernelSize", kernelSize, 1)];
}

/** Options of a convolution over sequences as those over images of height 1. */
export function asImageOptions({ stride = 1, padding = 0, dilation = 1, groups = 1 }: Conv1dOptions) {
  return {
    stride: [1, stride],
    padding: [0, padding],
    dilation: [1, dilation],
    groups,
  } as const satisfies ConvolutionOptions;
}

/** Inserts an axis of size 1 before the last. */
export function withHeight(x: Tensor): Tensor {
  return reshape(x, [...x.shape.slice(0, -1), 1, x.shape.at(-1)!]);
}

/** Removes the second-to-last axis, which has size 1. */
export function withoutHeight(x: Tensor): Tensor {
  return reshape(x, [...x.shape.slice(0, -2), x.shape.at(-1)!]);
}

/**
 * Convolution: [B, inChannels, H, W] → [B, outChannels, H′, W′], where
 * H′ = ⌊(H + 2·padding − dilation·(kh − 1) − 1) / stride⌋ + 1, and likewise W′. y = W ∗ x + b, where ∗ is
 * cross-correlation, as usual in deep learning. PyTorch's `Conv2d` with zero padding.
 *
 * The weight is initialized from N(0, √(2 / fan_in)), He et al., ICCV 2015, equation 10, the bias with zeros.
 *
 * @example
 * new Conv2d(16, 32, 3, { stride: 2, padding: 1 }); // [B, 16, 32, 32] → [B, 32, 16, 16]
 */
export class Conv2d extends Module {
  /** [outChannels, inChannels / groups, kh, kw] */
  weight: Parameter;
  /** [outChannels] */
  bias: Parameter | undefined;
  readonly #options: Conv2dOptions;

  /**
   * @param inChannels channels of the input, a multiple of `groups`
   * @param outChannels channels of the output, a multiple of `groups`
   * @param kernelSize kernel height and width, or one number for both
   * @param options `stride` defaults to 1, `padding` to 0, `dilation` to 1, `groups` to 1 and `bias` to true
   * @throws UsageError for sizes that are not whole numbers, or groups that do not divide the channels
   */
  constructor(inChannels: number, outChannels: number, kernelSize: PairOption, options: Conv2dOptions = {}) {
    super();
    this.#options = options;
    const shape = convolutionShape({ inChannels, outChannels, kernelSize }, options);
    this.weight = new Parameter(shape, kaimingNormal);
    this.bias = options.bias === false ? undefined : new Parameter([outChannels], zerosInit);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    return conv2d(x, context.read(this.weight), this.bias && context.read(this.bias), this.#options);
  }
}

/**
 * Convolution over sequences: [B, inChannels, L] → [B, outChannels, L′], otherwise like {@link Conv2d}. PyTorch's
 * `Conv1d`.
 */
export class Conv1d extends Module {
  /** [outChannels, inChannels / groups, k] */
  readonly weight: Parameter;
  /** [outChannels] */
  readonly bias: Parameter | undefined;
  readonly #options: Conv1dOptions;

  /**
   * @param options `stride` defaults to 1, `padding` to 0, `dilation` to 1, `groups` to 1 and `bias` to true
   * @throws UsageError for sizes that are not whole numbers, or groups that do not divide the channels
   */
  constructor(inChannels: number, outChannels: number, kernelSize: number, options: Conv1dOptions = {}) {
    super();
    this.#options = options;
    const shape = convolution1dShape({ inChannels, outChannels, kernelSize }, options);
    this.weight = new Parameter(shape, kaimingNormal);
    this.bias = options.bias === false ? undefined : new Parameter([outChannels], zerosInit);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    if (x.shape.length !== 3) throw new ShapeError("Conv1d", "[B, C, L]", formatType(x));
    const weight = withHeight(context.read(this.weight));
    const bias = this.bias && context.read(this.bias);
    return withoutHeight(conv2d(withHeight(x), weight, bias, asImageOptions(this.#options)));
  }
}

/**
 * Convolution over volumes: [B, inChannels, D, H, W] → [B, outChannels, D′, H′, W′], otherwise like {@link Conv2d}.
 * PyTorch's `Conv3d`.
 */
export class Conv3d extends Module {
  /** [outChannels, inChannels / groups, kd, kh, kw] */
  readonly weight: Parameter;
  /** [outChannels] */
  readonly bias: Parameter | undefined;
  readonly #options: Conv3dOptions;

  /**
   * @param kernelSize kernel depth, height and width, or one number for all
   * @param options `stride` defaults to 1, `padding` to 0, `dilation` to 1, `groups` to 1 and `bias` to true
   * @throws UsageError for sizes that are not whole numbers, or groups that do not divide the channels
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: TripleOption,
    options: Conv3dOptions = {},
  ) {
    super();
    this.#options = options;
    const shape = convolution3dShape({ inChannels, outChannels, kernelSize }, options);
    this.weight = new Parameter(shape, kaimingNormal);
    this.bias = options.bias === false ? undefined : new Parameter([outChannels], zerosInit);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    return conv3d(x, context.read(this.weight), this.bias && context.read(this.bias), this.#options);
  }
}

/**
 * Transposed convolution: [B, inChannels, H, W] → [B, outChannels, H′, W′], where
 * H′ = (H − 1)·stride − 2·padding + dilation·(kh − 1) + outputPadding + 1, and likewise W′. PyTorch's
 * `ConvTranspose2d`.
 *
 * The weight is initialized from N(0, √(2 / fan_in)), with fan_in = outChannels/groups·kh·kw as in PyTorch, the bias
 * with zeros.
 *
 * @example
 * new ConvTranspose2d(256, 256, 4, { stride: 2, padding: 1 }); // [B, 256, 8, 6] → [B, 256, 16, 12]
 */
export class ConvTranspose2d extends Module {
  /** [inChannels, outChannels / groups, kh, kw] */
  readonly weight: Parameter;
  /** [outChannels] */
  readonly bias: Parameter | undefined;
  readonly #options: ConvTranspose2dOptions;

  /**
   * @param kernelSize kernel height and width, or one number for both
   * @param options `stride` defaults to 1, `padding` to 0, `outputPadding` to 0, `dilation` to 1, `groups` to 1 and
   * `bias` to true
   * @throws UsageError for sizes that are not whole numbers, or groups that do not divide the channels
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: PairOption,
    options: ConvTranspose2dOptions = {},
  ) {
    super();
    this.#options = options;
    // A transposed convolution is the gradient of a convolution with inputs and outputs swapped.
    const sizes = { inChannels: outChannels, outChannels: inChannels, kernelSize };
    this.weight = new Parameter(convolutionShape(sizes, options), kaimingNormal);
    this.bias = options.bias === false ? undefined : new Parameter([outChannels], zerosInit);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const y = convTranspose2d(x, context.read(this.weight), this.#options);
    return this.bias ? add(y, reshape(context.read(this.bias), [-1, 1, 1])) : y;
  }
}
