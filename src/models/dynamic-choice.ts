import type { SitePolicy, SitePredicate } from "./site.js";

/** Dynamic layers that can replace a network's convolutions. */
export const DYNAMIC_LAYERS = ["dyconv", "condconv", "odconv", "dcd", "kernel-warehouse", "fdconv"] as const;

/** One of {@link DYNAMIC_LAYERS}. */
export type DynamicLayer = (typeof DYNAMIC_LAYERS)[number];

/** Which convolutions of a network are dynamic, and how. */
export interface DynamicChoice {
  readonly layer: DynamicLayer;
  /** Number of kernels to mix, for layers with experts. Defaults to 4. */
  readonly experts?: number;
  /** Reduction ratio of the attention, channels / hidden channels. Defaults to that of the layer. */
  readonly ratio?: number;
  /** The attention branch of dyconv: that of the paper, or of the most used PyTorch port. Defaults to `"paper"`. */
  readonly branch?: "paper" | "port";
  /** Cells per kernel piece of a warehouse. Defaults to 1. */
  readonly cellRatio?: number;
  /** CondConv's routers: one per block, or one per layer as in ParameterNet. Defaults to `"block"`. */
  readonly router?: "block" | "layer";
  /** Whether the classifier is dynamic as well. Defaults to what is published for the layer and network. */
  readonly classifier?: boolean;
  /** A policy name or a predicate. Defaults to the layer's published policy for the network. */
  readonly where?: SitePolicy | SitePredicate;
}
