import type { Tensor } from "../ir/index.js";
import type { AnnealedScalar } from "./annealed-scalar.js";
import type { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

/** How attention logits become weights. `"softmax"`: they are positive and sum to 1. `"sigmoid"`: each is between 0 and 1. */
export type AttentionActivation = "softmax" | "sigmoid" | "other";

/** Attention weights, and what a reader must know of them. */
export interface RecordedAttention {
  /** float32 [B, …] */
  readonly values: Tensor;
  readonly activation: AttentionActivation;
  /** The axis of `values` along which what is weighed lies (experts, channels, positions); 1 or more. */
  readonly axis: number;
}

/** What a layer is given, besides its input, when it is called. */
export interface ForwardContext {
  /** Batch statistics and dropout when `true`, running statistics and none when `false`. */
  readonly training: boolean;
  /** The tensor that holds a parameter's values; for a buffer that was updated in this pass, the new ones. */
  read(parameter: Parameter): Tensor;
  /** Gives a buffer its next value. */
  update(buffer: Parameter, value: Tensor): void;
  /** The value of an annealed scalar in this pass, a scalar. */
  annealed(scalar: AnnealedScalar): Tensor;
  /** A uint8 mask, 1 with probability `keep`, drawn anew each step from the run's seed. */
  mask(shape: readonly number[], keep: number): Tensor;
  /**
   * Keeps attention of the layer that is being called, to be read out.
   *
   * @param kind what it weighs, such as `"kernel"`, `"filter"` or `"spatial"`; a layer may record several kinds
   * @returns the values that the layer is to go on with: its own, unless whoever applies the model replaces them to
   * see whether they matter
   */
  recordAttention(kind: string, attention: RecordedAttention): Tensor;
  /** Applies a module to `x`, its nodes and attention under the module's path: what {@link Module.call} does. */
  call<More extends readonly Tensor[]>(module: Module<More>, x: Tensor, ...more: More): Tensor;
}
