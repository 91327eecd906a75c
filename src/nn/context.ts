import type { Tensor } from "../ir/index.js";
import type { AnnealedScalar } from "./annealed-scalar.js";
import type { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

/**
 * Activation of attention logits. `"softmax"`: weights are positive and sum to 1. `"sigmoid"`: each weight is in (0,
 * 1).
 */
export type AttentionActivation = "softmax" | "sigmoid" | "other";

/** Attention weights and how to interpret them. */
export interface RecordedAttention {
  /** float32 [B, …] */
  readonly values: Tensor;
  readonly activation: AttentionActivation;
  /** The axis of `values` that runs over what is weighted (experts, channels, positions); at least 1. */
  readonly axis: number;
}

/** What a layer receives besides its input. */
export interface ForwardContext {
  /** `true`: batch statistics and dropout. `false`: running statistics, no dropout. */
  readonly training: boolean;
  /** The tensor with a parameter's values; for a buffer updated in this pass, the new ones. */
  read(parameter: Parameter): Tensor;
  /** Sets the next value of a buffer. */
  update(buffer: Parameter, value: Tensor): void;
  /** The value of an annealed scalar in this pass, as a scalar tensor. */
  annealed(scalar: AnnealedScalar): Tensor;
  /** A uint8 mask of ones with probability `keep`, drawn anew at each step from the run's seed. */
  mask(shape: readonly number[], keep: number): Tensor;
  /**
   * Records attention of the layer being called.
   *
   * @param kind what is weighted, such as `"kernel"`, `"filter"` or `"spatial"`; a layer may record several kinds
   * @returns the values for the layer to use: its own, unless `replaceAttention` of {@link ApplyOptions} replaces them
   */
  recordAttention(kind: string, attention: RecordedAttention): Tensor;
  /**
   * Applies a module to `x` and files its nodes and attention under the module's path. Called by {@link Module.call}.
   */
  call<More extends readonly Tensor[]>(module: Module<More>, x: Tensor, ...more: More): Tensor;
}
