import { expectWhole } from "../../errors/expect.js";
import { ShapeError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import { add, matmul, mul, reshape, transposeLast } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { kaimingUniform, uniformInit } from "../initializers.js";
import { BatchNorm1d, type BatchNormOptions } from "../layers/normalization.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import { type DCDBranch, dcdAttention, dcdBranch } from "./dcd.js";
import { type PlainStart, type PlainWeights, type StartsPlain, setBias, zeroed } from "./plain-start.js";

/** Options of {@link DCDLinear}. */
export interface DCDLinearOptions {
  /** L: width of the low-rank path. Defaults to 32. */
  readonly latent?: number;
  /** S: width of the branch. Defaults to 32. */
  readonly squeezed?: number;
  /** Options of the two batch normalisations of the low-rank path. Defaults to momentum 0.1 and epsilon 1e-5. */
  readonly norm?: BatchNormOptions;
}

/**
 * The dynamic classifier of DCD: [B, inFeatures] → [B, outFeatures],
 *
 *     y = λ ⊙ (W₀·v + b) + P·(norm₂(Φ·u) + u),   u = norm₁(Q·v),
 *
 * where λ and Φ are computed from v as {@link DCDConv2d} computes them from its pooled input. Unlike the released code,
 * it can be trained with batch size 1: both normalisations then use their running statistics.
 *
 * Li et al., "Revisiting Dynamic Convolution via Matrix Decomposition", ICLR 2021; part of the released code, but not
 * of the paper's parameter counts. All weights and b are initialized from U(±1 / √fan_in). At the neutral point, U and
 * P are 0: the layer is `Linear` with W₀ and b.
 */
export class DCDLinear extends Module implements StartsPlain {
  /** W₀ [outFeatures, inFeatures] */
  readonly weight: Parameter;
  /** b [outFeatures] */
  readonly bias: Parameter;
  /** Q [latent, inFeatures] */
  readonly down: { readonly weight: Parameter };
  readonly downNorm: BatchNorm1d;
  readonly latentNorm: BatchNorm1d;
  /** P [outFeatures, latent] */
  readonly up: { readonly weight: Parameter };
  readonly branch: DCDBranch;

  /** @throws UsageError for sizes that are not whole numbers of at least 1 */
  constructor(inFeatures: number, outFeatures: number, options: DCDLinearOptions = {}) {
    super();
    const { latent = 32, squeezed = 32, norm } = options;
    expectWhole("DCDLinear: inFeatures", inFeatures);
    expectWhole("DCDLinear: outFeatures", outFeatures);
    expectWhole("DCDLinear: latent", latent);
    expectWhole("DCDLinear: squeezed", squeezed);
    this.weight = new Parameter([outFeatures, inFeatures], kaimingUniform);
    this.bias = new Parameter([outFeatures], uniformInit(1 / Math.sqrt(inFeatures)));
    this.down = { weight: new Parameter([latent, inFeatures], kaimingUniform) };
    this.downNorm = new BatchNorm1d(latent, norm);
    this.latentNorm = new BatchNorm1d(latent, norm);
    this.up = { weight: new Parameter([outFeatures, latent], kaimingUniform) };
    this.branch = dcdBranch({ pooled: inFeatures, squeezed, latent, outChannels: outFeatures });
  }

  get plainShape(): readonly number[] {
    return this.weight.shape;
  }

  /** λ = 1 and P = 0. */
  startPlain({ weight, bias }: PlainWeights, start: PlainStart): void {
    start.values(this.weight).set(weight);
    setBias(this.bias, bias, start);
    zeroed([this.up, this.branch.scale], start);
  }

  forward(v: Tensor, context: ForwardContext): Tensor {
    if (v.shape.length !== 2 || v.shape[1] !== this.weight.shape[1]) {
      throw new ShapeError("DCDLinear", `[B, ${this.weight.shape[1]}]`, formatType(v));
    }
    const by = (parameter: Parameter, x: Tensor) => matmul(x, transposeLast(context.read(parameter)));
    const { phi, scale } = dcdAttention(this.branch, v, context);
    const u = this.downNorm.call(by(this.down.weight, v), context);
    const mixed = reshape(matmul(phi, reshape(u, [...u.shape, 1])), u.shape);
    const low = by(this.up.weight, add(this.latentNorm.call(mixed, context), u));
    return add(mul(add(by(this.weight, v), context.read(this.bias)), scale), low);
  }
}
