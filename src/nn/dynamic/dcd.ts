/**
 * Shared by the dynamic channel decompositions of convolution and classifier: the branch that computes λ and Φ from a
 * pooled vector.
 */
import type { Tensor } from "../../ir/index.js";
import { hardSigmoid, mul, reshape } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { kaimingUniform } from "../initializers.js";
import { Linear } from "../layers/linear.js";

/** The attention branch of a dynamic channel decomposition. No map has a bias. */
export interface DCDBranch {
  /** D [squeezed, values of the pooled vector] */
  readonly reduce: Linear;
  /** G [squeezed, squeezed] */
  readonly gate: Linear;
  /** V [latent², squeezed], Φ in row-major order */
  readonly phi: Linear;
  /** U [outChannels, squeezed] */
  readonly scale: Linear;
}

/** Sizes of a branch. */
interface BranchSizes {
  /** Values of the pooled vector. */
  readonly pooled: number;
  readonly squeezed: number;
  readonly latent: number;
  readonly outChannels: number;
}

/** Creates a branch with maps initialized from U(±1 / √fan_in), as published. */
export function dcdBranch({ pooled, squeezed, latent, outChannels }: BranchSizes): DCDBranch {
  const map = (from: number, to: number) => new Linear(from, to, { bias: false, init: kaimingUniform });
  return {
    reduce: map(pooled, squeezed),
    gate: map(squeezed, squeezed),
    phi: map(squeezed, latent ** 2),
    scale: map(squeezed, outChannels),
  };
}

/** hs(z) = min(max(z + 3, 0), 6) / 3, from 0 to 2. */
function gateOf(z: Tensor): Tensor {
  return mul(hardSigmoid(z), 2);
}

/** Computes and records Φ [B, L, L] and λ [B, outChannels] from a pooled vector [B, n]. */
export function dcdAttention(branch: DCDBranch, pooled: Tensor, context: ForwardContext) {
  const reduced = branch.reduce.call(pooled, context);
  const e = mul(reduced, gateOf(branch.gate.call(reduced, context)));
  const flat = branch.phi.call(e, context);
  const latent = Math.sqrt(flat.shape[1] as number);
  const phi = reshape(flat, [flat.shape[0]!, latent, latent]);
  const scale = gateOf(branch.scale.call(e, context));
  return {
    phi: context.recordAttention("phi", { values: phi, activation: "other", axis: 1 }),
    scale: context.recordAttention("scale", { values: scale, activation: "other", axis: 1 }),
  };
}
