import { expectWhole } from "../../errors/expect.js";
import { UsageError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import {
  adaptiveAvgPool2d,
  add,
  conv2d,
  matmul,
  mul,
  type PairOption,
  reshape,
  toPair,
} from "../../ops/index.js";
import { elementCount } from "../../util/shape.js";
import type { ForwardContext } from "../context.js";
import { kaimingFanOut } from "../initializers.js";
import { type Conv2dOptions, convolutionShape } from "../layers/convolution.js";
import { BatchNorm1d, BatchNorm2d, type BatchNormOptions } from "../layers/normalization.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import { type DCDBranch, dcdAttention, dcdBranch } from "./dcd.js";
import { type PlainStart, type PlainWeights, type StartsPlain, zeroed } from "./plain-start.js";

/** Widths of {@link DCDConv2d}. */
export interface DCDWidths {
  /** q: the branch reads means over q×q windows. */
  readonly poolSize: number;
  /** L: width of the low-rank path. */
  readonly latent: number;
  /** S: width of the branch. */
  readonly squeezed: number;
}

/** Options of {@link DCDConv2d}. */
export interface DCDConv2dOptions extends Omit<Conv2dOptions, "bias">, Partial<DCDWidths> {
  /**
   * Which published rule chooses the widths: for a ResNet's basic block, its bottleneck, or MobileNetV2's pointwise
   * convolutions. Defaults to `"basic"`.
   */
  readonly where?: "basic" | "bottleneck" | "mobilenet";
  /** f: reduction ratio of the branch's width. Defaults to 16. */
  readonly squeeze?: number;
  /** Options of the two batch normalisations of the low-rank path. Defaults to momentum 0.1 and epsilon 1e-5. */
  readonly norm?: BatchNormOptions;
}

/** q, L and S of a layer from `inChannels` to `outChannels`, as published unless given in the options. */
export function dcdWidths(
  inChannels: number,
  outChannels: number,
  { where = "basic", squeeze = 16, ...given }: DCDConv2dOptions = {},
): DCDWidths {
  expectWhole("squeeze", squeeze);
  const wide = where === "basic" || (where === "mobilenet" && inChannels < outChannels);
  const { poolSize = wide ? 2 : 1 } = given;
  const pooled = poolSize ** 2 * inChannels;
  const published =
    where === "mobilenet" ? pointwiseLatent(pooled, inChannels, outChannels) : Math.floor(Math.sqrt(pooled));
  const { latent = published } = given;
  const least = where === "bottleneck" ? 1 : 4;
  const { squeezed = Math.max(Math.floor(Math.max(pooled, latent ** 2) / squeeze), least) } = given;
  for (const [name, width] of Object.entries({ poolSize, latent, squeezed })) expectWhole(name, width);
  return { poolSize, latent, squeezed };
}

/** L of MobileNetV2: halved until Φ has at most twice as many values as the pooled vector, at least 4. */
function pointwiseLatent(pooled: number, inChannels: number, outChannels: number): number {
  for (let ratio = inChannels < outChannels ? 8 : 2; ; ratio *= 2) {
    const latent = Math.min(Math.floor(pooled / ratio), Math.floor(outChannels / ratio));
    if (latent ** 2 <= 2 * pooled) return Math.max(latent, 4);
  }
}

/**
 * Dynamic channel decomposition: [B, inChannels, H, W] → [B, outChannels, H′, W′]. A static convolution with scaled
 * output channels plus a sample-dependent low-rank path:
 *
 *     y = λ ⊙ conv(x, W₀) + P·(norm₂(Φ·u) + u),   u = norm₁(Q·x).
 *
 * The branch pools x to q×q and flattens it to p, ordered by channel; e = D·p, e ← e ⊙ hs(G·e); Φ = V·e [L, L],
 * λ = hs(U·e), where hs(z) = min(max(z + 3, 0), 6) / 3 is between 0 and 2. No map has a bias.
 *
 * Li et al., "Revisiting Dynamic Convolution via Matrix Decomposition", ICLR 2021, equation 6: kernel Λ·W₀ + P·Φ·Qᵀ.
 * This follows the released code, which differs: the identity is added to Φ, there are two batch normalisations inside,
 * and the low-rank part of a larger kernel is its centre tap. Per-sample kernels are never built.
 *
 * Q and W₀ share the stride. Convolutions are initialized from N(0, √(2 / fan_out)), the branch from U(±1 / √fan_in).
 * At the neutral point, U and P are 0: the layer is the plain convolution with kernel W₀.
 *
 * @example
 * const layer = new DCDConv2d(64, 128, 3, { stride: 2, padding: 1, where: "basic" });
 */
export class DCDConv2d extends Module implements StartsPlain {
  /** W₀ [outChannels, inChannels / groups, kh, kw] */
  readonly weight: Parameter;
  /** Q [latent, inChannels] */
  readonly down: { readonly weight: Parameter };
  readonly downNorm: BatchNorm2d;
  readonly latentNorm: BatchNorm1d;
  /** P [outChannels, latent] */
  readonly up: { readonly weight: Parameter };
  readonly branch: DCDBranch;
  /** q, L and S. */
  readonly widths: DCDWidths;
  readonly #options: DCDConv2dOptions;

  /**
   * @param inChannels channels of the input, a multiple of `groups`
   * @param outChannels channels of the output, a multiple of `groups`
   * @param kernelSize odd kernel height and width, or one number for both
   * @param options `where` defaults to basic and determines the defaults of `poolSize`, `latent` and `squeezed`;
   * `squeeze` defaults to 16, `stride` to 1, `dilation` to 1 and `groups` to 1; `padding` defaults to
   * dilation·(k − 1) / 2, which centres the kernel, and accepts no other value
   * @throws UsageError for invalid sizes, or a kernel that is not centred
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: PairOption,
    options: DCDConv2dOptions = {},
  ) {
    super();
    const shape = convolutionShape({ inChannels, outChannels, kernelSize }, options);
    this.#options = { ...options, padding: centredPadding(kernelSize, options) };
    this.widths = dcdWidths(inChannels, outChannels, options);
    const { latent, squeezed, poolSize } = this.widths;
    this.weight = new Parameter(shape, kaimingFanOut);
    this.down = { weight: new Parameter([latent, inChannels], kaimingFanOut) };
    this.downNorm = new BatchNorm2d(latent, options.norm);
    this.latentNorm = new BatchNorm1d(latent, options.norm);
    this.up = { weight: new Parameter([outChannels, latent], kaimingFanOut) };
    this.branch = dcdBranch({ pooled: poolSize ** 2 * inChannels, squeezed, latent, outChannels });
  }

  get plainShape(): readonly number[] {
    return this.weight.shape;
  }

  /** λ = 1 and P = 0. */
  startPlain({ weight }: PlainWeights, start: PlainStart): void {
    start.values(this.weight).set(weight);
    zeroed([this.up, this.branch.scale], start);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const { stride = 1 } = this.#options;
    const { poolSize } = this.widths;
    const [batch, channels] = x.shape;
    const pool = reshape(adaptiveAvgPool2d(x, poolSize), [batch!, (channels as number) * poolSize ** 2]);
    const { phi, scale } = dcdAttention(this.branch, pool, context);
    const pointwise = (parameter: Parameter) => reshape(context.read(parameter), [...parameter.shape, 1, 1]);
    const down = conv2d(x, pointwise(this.down.weight), undefined, { stride });
    const u = this.downNorm.call(down, context);
    const [, latent, height, width] = u.shape as readonly number[];
    const flat = reshape(u, [batch!, latent!, height! * width!]);
    const mixed = add(this.latentNorm.call(matmul(phi, flat), context), flat);
    const low = conv2d(reshape(mixed, u.shape), pointwise(this.up.weight));
    const y = conv2d(x, context.read(this.weight), undefined, this.#options);
    return add(mul(y, reshape(scale, [...scale.shape, 1, 1])), low);
  }
}

/** The padding that centres each window on the pixel that Q reads. */
function centredPadding(kernelSize: PairOption, options: DCDConv2dOptions): readonly [number, number] {
  const kernel = toPair("kernelSize", kernelSize, 1);
  const dilation = toPair("dilation", options.dilation ?? 1, 1);
  const centred = [((kernel[0] - 1) * dilation[0]) / 2, ((kernel[1] - 1) * dilation[1]) / 2] as const;
  const padding = options.padding === undefined ? centred : toPair("padding", options.padding, 0);
  if (elementCount(kernel) % 2 === 0 || padding.some((amount, i) => amount !== centred[i])) {
    throw new UsageError(
      `DCDConv2d needs an odd kernel and padding of half of it, not kernel ${kernel} with padding ${padding}`,
      { hint: "leave padding out; the low-rank path sees the centre of each window" },
    );
  }
  return padding;
}
