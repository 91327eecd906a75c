import { expectWhole, expectWithin } from "../errors/expect.js";
import { ShapeError, UsageError } from "../errors/index.js";
import { formatType, type Tensor } from "../ir/index.js";
import {
  add,
  batchNorm,
  type ConvolutionOptions,
  cast,
  channelStatistics,
  conv2d,
  convolutionAttributes,
  globalAvgPool2d,
  matmul,
  maxPool2d,
  mul,
  type PairOption,
  type PoolingOptions,
  poolingAttributes,
  relu,
  reshape,
  toPair,
  transposeLast,
} from "../ops/index.js";
import { elementCount } from "../util/shape.js";
import type { ForwardContext } from "./context.js";
import { kaimingNormal, onesInit, xavierUniform, zerosInit } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";

/** Options of a convolution layer. */
export interface Conv2dOptions extends ConvolutionOptions {
  /** Adds a bias a channel; `true` by default. */
  readonly bias?: boolean;
}

/** What the sizes of a convolution layer are made from. */
interface ConvolutionSizes {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: PairOption;
}

/**
 * Shape of a convolution layer's weight, [outChannels, inChannels / groups, kh, kw].
 *
 * @throws UsageError for sizes and options that no convolution can have
 */
export function convolutionShape(sizes: ConvolutionSizes, options: ConvolutionOptions): readonly number[] {
  const { inChannels, outChannels, kernelSize } = sizes;
  expectWhole("inChannels", inChannels);
  expectWhole("outChannels", outChannels);
  const { groups } = convolutionAttributes(options);
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new UsageError(`${groups} groups do not divide ${inChannels} and ${outChannels} channels`);
  }
  return [outChannels, inChannels / groups, ...toPair("kernelSize", kernelSize, 1)];
}

/**
 * Convolution: [B, inChannels, H, W] → [B, outChannels, H′, W′], where
 * H′ = ⌊(H + 2·padding − dilation·(kh − 1) − 1) / stride⌋ + 1, and W′ alike. y = W ∗ x + b, without turning the kernel
 * round, as everywhere in deep learning. PyTorch's `Conv2d` with padding by zeros.
 *
 * The weight begins with N(0, √(2 / fan_in)), He et al., ICCV 2015, equation 10; the bias with zeros.
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
   * @param options `stride` 1, `padding` 0, `dilation` 1, `groups` 1 and `bias` true by default
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

/** Options of batch normalisation. */
export interface BatchNorm2dOptions {
  /** Weight of the new batch in the running statistics, from 0 to 1; 0.1 by default, PyTorch's convention. */
  readonly momentum?: number;
  /** Added to the variance; 1e-5 by default. */
  readonly epsilon?: number;
}

/**
 * Batch normalisation of each channel: [B, C, H, W] → [B, C, H, W], y = γ·(x − E[x]) / √(Var[x] + ε) + β.
 *
 * In training E and Var are those of the batch, Var biased; the running mean and variance move to them by `momentum`,
 * the variance to the unbiased one. At inference E and Var are the running ones. PyTorch's `BatchNorm2d`.
 *
 * Ioffe and Szegedy, "Batch Normalization", ICML 2015, algorithms 1 and 2.
 *
 * @throws UsageError when it is called in training on one value a channel
 */
export class BatchNorm2d extends Module {
  /** γ [C], ones at first */
  readonly weight: Parameter;
  /** β [C], zeros at first */
  readonly bias: Parameter;
  /** [C], a buffer: zeros at first */
  readonly running_mean: Parameter;
  /** [C], a buffer: ones at first */
  readonly running_var: Parameter;
  readonly #momentum: number;
  readonly #epsilon: number;

  /** @throws UsageError for channels below 1, a momentum outside 0 … 1, or a negative epsilon */
  constructor(channels: number, options: BatchNorm2dOptions = {}) {
    super();
    const { momentum = 0.1, epsilon = 1e-5 } = options;
    expectWhole("BatchNorm2d: channels", channels);
    if (!(momentum >= 0 && momentum <= 1)) {
      throw new UsageError(`BatchNorm2d: momentum must be between 0 and 1, not ${momentum}`);
    }
    expectWithin("BatchNorm2d: epsilon", epsilon, { from: 0 });
    this.weight = new Parameter([channels], onesInit);
    this.bias = new Parameter([channels], zerosInit);
    this.running_mean = new Parameter([channels], zerosInit, false);
    this.running_var = new Parameter([channels], onesInit, false);
    this.#momentum = momentum;
    this.#epsilon = epsilon;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const scale = context.read(this.weight);
    const bias = context.read(this.bias);
    const runningMean = context.read(this.running_mean);
    const runningVariance = context.read(this.running_var);
    if (!context.training) {
      return batchNorm(x, { scale, bias, mean: runningMean, variance: runningVariance }, this.#epsilon);
    }
    if (x.shape.length !== 4) throw new ShapeError("BatchNorm2d", "[B, C, H, W]", formatType(x));
    const [batch, , height, width] = x.shape;
    const count = elementCount([batch!, height!, width!], "BatchNorm2d in training");
    if (count === 1) {
      throw new UsageError("BatchNorm2d in training needs more than one value per channel", {
        hint: "use a batch of at least 2 where the image has shrunk to 1×1",
      });
    }
    const { mean, variance } = channelStatistics(x);
    this.#track(context, this.running_mean, mean);
    this.#track(context, this.running_var, mul(variance, count / (count - 1)));
    return batchNorm(x, { scale, bias, mean, variance }, this.#epsilon);
  }

  #track(context: ForwardContext, buffer: Parameter, value: Tensor): void {
    const kept = mul(context.read(buffer), 1 - this.#momentum);
    context.update(buffer, add(kept, mul(value, this.#momentum)));
  }
}

/**
 * Fully connected layer: […, inFeatures] → […, outFeatures], y = x·Wᵀ + b.
 *
 * The weight begins with U(−a, a), a = √(6 / (inFeatures + outFeatures)), Glorot and Bengio, AISTATS 2010, equation 16;
 * the bias with zeros.
 */
export class Linear extends Module {
  /** [outFeatures, inFeatures] */
  weight: Parameter;
  /** [outFeatures] */
  bias: Parameter | undefined;

  /** @throws UsageError for sizes that are not whole numbers of at least 1 */
  constructor(inFeatures: number, outFeatures: number, options: { readonly bias?: boolean } = {}) {
    super();
    expectWhole("Linear: inFeatures", inFeatures);
    expectWhole("Linear: outFeatures", outFeatures);
    this.weight = new Parameter([outFeatures, inFeatures], xavierUniform);
    this.bias = options.bias === false ? undefined : new Parameter([outFeatures], zerosInit);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const product = matmul(x, transposeLast(context.read(this.weight)));
    return this.bias ? add(product, context.read(this.bias)) : product;
  }
}

/** max(x, 0), element by element: any shape → the same shape. */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/**
 * Maximum over windows: [B, C, H, W] → [B, C, H′, W′], where H′ = ⌊(H + 2·padding − kh) / stride⌋ + 1, and W′ alike.
 * Padding never wins.
 */
export class MaxPool2d extends Module {
  readonly #options: PoolingOptions;

  /** @throws UsageError for sizes that are not whole numbers, or padding beyond half the window */
  constructor(kernelSize: PairOption, options: Omit<PoolingOptions, "kernelSize"> = {}) {
    super();
    this.#options = { kernelSize, ...options };
    poolingAttributes(this.#options);
  }

  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.#options);
  }
}

/** Mean over each channel's whole image, the output size 1 of PyTorch's layer: [B, C, H, W] → [B, C, 1, 1]. */
export class AdaptiveAvgPool2d extends Module {
  forward(x: Tensor): Tensor {
    return globalAvgPool2d(x);
  }
}

/**
 * Zeroes each element with probability p in training, and scales the others by 1 / (1 − p), so that the mean stays;
 * hands on its input at inference. Any shape → the same shape; the batch must be fixed in training.
 *
 * Srivastava et al., "Dropout", JMLR 2014, section 4; scaled in training rather than at inference.
 */
export class Dropout extends Module {
  readonly #p: number;

  /**
   * @param p probability of zeroing, 0 ≤ p < 1; 0.5 by default
   * @throws UsageError for any other p
   */
  constructor(p = 0.5) {
    super();
    expectWithin("Dropout: p", p, { from: 0, below: 1 });
    this.#p = p;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    if (!context.training || this.#p === 0) return x;
    const shape = x.shape.map((_, axis) => elementCount([x.shape[axis]!], "Dropout in training"));
    return mul(x, mul(cast(context.mask(shape, 1 - this.#p), "float32"), 1 / (1 - this.#p)));
  }
}

/** All but the batch as one axis: [B, C, H, W] → [B, C·H·W], and alike for other shapes. */
export class Flatten extends Module {
  forward(x: Tensor): Tensor {
    return reshape(x, [x.shape[0]!, elementCount(x.shape.slice(1), "Flatten")]);
  }
}
