import { expectWhole, expectWithin } from "../../errors/expect.js";
import { ShapeError, UsageError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import { add, batchNorm, channelStatistics, div, mean, mul, reshape, sqrt, sub } from "../../ops/index.js";
import { elementCount, sameShape } from "../../util/shape.js";
import type { ForwardContext } from "../context.js";
import { onesInit, zerosInit } from "../initializers.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";

/** Options of {@link BatchNorm}. */
export interface BatchNormOptions {
  /** Weight of the new batch in the running statistics, from 0 to 1. Defaults to 0.1, PyTorch's convention. */
  readonly momentum?: number;
  /** Added to the variance. Defaults to 1e-5. */
  readonly epsilon?: number;
}

/**
 * Batch normalisation of each channel: x [B, C, …] → the same shape, y = γ·(x − E[x]) / √(Var[x] + ε) + β.
 *
 * In training, E and Var are those of the batch, with biased Var. The running mean and the running unbiased variance
 * move towards them by `momentum`. At inference, E and Var are the running ones. PyTorch's conventions.
 *
 * A single value has no variance. If a channel has only one value in training, as in pooled vectors with batch size 1,
 * the running statistics are used and left unchanged, whereas PyTorch throws.
 *
 * Ioffe and Szegedy, "Batch Normalization", ICML 2015, algorithms 1 and 2.
 */
export abstract class BatchNorm extends Module {
  /** γ [C], initially ones */
  readonly weight: Parameter;
  /** β [C], initially zeros */
  readonly bias: Parameter;
  /** [C], a buffer, initially zeros */
  readonly running_mean: Parameter;
  /** [C], a buffer, initially ones */
  readonly running_var: Parameter;
  readonly #momentum: number;
  readonly #epsilon: number;

  /** @throws UsageError for channels below 1, a momentum outside 0 … 1, or a negative epsilon */
  constructor(channels: number, options: BatchNormOptions = {}) {
    super();
    const { momentum = 0.1, epsilon = 1e-5 } = options;
    const name = new.target.name;
    expectWhole(`${name}: channels`, channels);
    if (!(momentum >= 0 && momentum <= 1)) {
      throw new UsageError(`${name}: momentum must be between 0 and 1, not ${momentum}`);
    }
    expectWithin(`${name}: epsilon`, epsilon, { from: 0 });
    this.weight = new Parameter([channels], onesInit);
    this.bias = new Parameter([channels], zerosInit);
    this.running_mean = new Parameter([channels], zerosInit, false);
    this.running_var = new Parameter([channels], onesInit, false);
    this.#momentum = momentum;
    this.#epsilon = epsilon;
  }

  /** The input layouts that it accepts. */
  protected abstract readonly layouts: readonly string[];

  forward(x: Tensor, context: ForwardContext): Tensor {
    if (!this.layouts.some((layout) => layout.split(",").length === x.shape.length)) {
      throw new ShapeError(this.constructor.name, this.layouts.join(" or "), formatType(x));
    }
    const affine = { scale: context.read(this.weight), bias: context.read(this.bias) };
    const running = { mean: context.read(this.running_mean), variance: context.read(this.running_var) };
    if (!context.training) return batchNorm(x, { ...affine, ...running }, this.#epsilon);
    const [batch, , ...positions] = x.shape;
    const count = elementCount([batch!, ...positions], `${this.constructor.name} in training`);
    if (count === 1) return batchNorm(x, { ...affine, ...running }, this.#epsilon);
    const { centred, offset, mean, variance } = channelStatistics(x);
    this.#track(context, this.running_mean, mean);
    this.#track(context, this.running_var, mul(variance, count / (count - 1)));
    return batchNorm(centred, { ...affine, mean: offset, variance }, this.#epsilon);
  }

  #track(context: ForwardContext, buffer: Parameter, value: Tensor): void {
    const kept = mul(context.read(buffer), 1 - this.#momentum);
    context.update(buffer, add(kept, mul(value, this.#momentum)));
  }
}

/** Batch normalisation of vectors [B, C] or sequences [B, C, L], like {@link BatchNorm2d}. PyTorch's `BatchNorm1d`. */
export class BatchNorm1d extends BatchNorm {
  protected get layouts() {
    return ["[B, C]", "[B, C, L]"];
  }
}

/**
 * Batch normalisation of each channel: [B, C, H, W] → [B, C, H, W], y = γ·(x − E[x]) / √(Var[x] + ε) + β.
 *
 * In training, E and Var are those of the batch, with biased Var. The running mean and the running unbiased variance
 * move towards them by `momentum`. At inference, E and Var are the running ones. PyTorch's `BatchNorm2d`.
 *
 * A single value has no variance. If a channel has only one value in training, as in 1×1 images with batch size 1, the
 * running statistics are used and left unchanged, whereas PyTorch throws.
 *
 * Ioffe and Szegedy, "Batch Normalization", ICML 2015, algorithms 1 and 2.
 */
export class BatchNorm2d extends BatchNorm {
  protected get layouts() {
    return ["[B, C, H, W]"];
  }
}

/** Batch normalisation of volumes [B, C, D, H, W], like {@link BatchNorm2d}. PyTorch's `BatchNorm3d`. */
export class BatchNorm3d extends BatchNorm {
  protected get layouts() {
    return ["[B, C, D, H, W]"];
  }
}

/** (x − mean) / √(variance + ε) over axes of known size. */
function standardized(x: Tensor, axes: readonly number[], epsilon: number): Tensor {
  const centred = sub(x, mean(x, { axes, keepDims: true }));
  const variance = mean(mul(centred, centred), { axes, keepDims: true });
  return div(centred, sqrt(add(variance, epsilon)));
}

/** Options of {@link LayerNorm} and {@link GroupNorm}. */
export interface SampleNormOptions {
  /** Added to the variance. Defaults to 1e-5. */
  readonly epsilon?: number;
}

/**
 * Normalises the last axes of each sample: y = γ·(x − E[x]) / √(Var[x] + ε) + β, any shape that ends with
 * `normalizedShape` → the same shape. PyTorch's `LayerNorm`.
 *
 * Ba et al., "Layer Normalization", 2016, equation 4.
 */
export class LayerNorm extends Module {
  /** γ [...normalizedShape], initially ones */
  readonly weight: Parameter;
  /** β [...normalizedShape], initially zeros */
  readonly bias: Parameter;
  readonly #epsilon: number;

  /**
   * @param normalizedShape sizes of the last axes, or the size of the last one
   * @throws UsageError for sizes that are not whole numbers of at least 1, or a negative epsilon
   */
  constructor(normalizedShape: number | readonly number[], { epsilon = 1e-5 }: SampleNormOptions = {}) {
    super();
    const shape = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
    for (const size of shape) expectWhole("LayerNorm: normalizedShape", size);
    expectWhole("LayerNorm: axes", shape.length);
    expectWithin("LayerNorm: epsilon", epsilon, { from: 0 });
    this.weight = new Parameter(shape, onesInit);
    this.bias = new Parameter(shape, zerosInit);
    this.#epsilon = epsilon;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const { shape } = this.weight;
    if (!sameShape(x.shape.slice(-shape.length), shape)) {
      throw new ShapeError("LayerNorm", `[…, ${shape.join(", ")}]`, formatType(x));
    }
    const axes = shape.map((_, i) => x.shape.length - shape.length + i);
    const normal = standardized(x, axes, this.#epsilon);
    return add(mul(normal, context.read(this.weight)), context.read(this.bias));
  }
}

/**
 * Normalises each group of channels of each sample: [B, C, …] → the same shape,
 * y = γ·(x − E[x]) / √(Var[x] + ε) + β. PyTorch's `GroupNorm`.
 *
 * Wu and He, "Group Normalization", ECCV 2018, equation 1.
 */
export class GroupNorm extends Module {
  /** γ [C], initially ones */
  readonly weight: Parameter;
  /** β [C], initially zeros */
  readonly bias: Parameter;
  readonly #groups: number;
  readonly #epsilon: number;

  /** @throws UsageError for groups that do not divide the channels, or a negative epsilon */
  constructor(groups: number, channels: number, { epsilon = 1e-5 }: SampleNormOptions = {}) {
    super();
    expectWhole("GroupNorm: groups", groups);
    expectWhole("GroupNorm: channels", channels);
    expectWithin("GroupNorm: epsilon", epsilon, { from: 0 });
    if (channels % groups !== 0) {
      throw new UsageError(`GroupNorm: ${groups} groups do not divide ${channels} channels`);
    }
    this.weight = new Parameter([channels], onesInit);
    this.bias = new Parameter([channels], zerosInit);
    this.#groups = groups;
    this.#epsilon = epsilon;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const [batch, channels, ...positions] = x.shape;
    if (x.shape.length < 2 || channels !== this.weight.shape[0]) {
      throw new ShapeError("GroupNorm", `[B, ${this.weight.shape[0]}, …]`, formatType(x));
    }
    const normal = standardized(reshape(x, [batch!, this.#groups, -1]), [2], this.#epsilon);
    const perChannel = (parameter: Parameter) =>
      reshape(context.read(parameter), [-1, ...positions.map(() => 1)]);
    return add(mul(reshape(normal, x.shape), perChannel(this.weight)), perChannel(this.bias));
  }
}
