import type { SitePolicy, SitePredicate } from "./site.js";

/** Layers that can take the place of a network's convolutions. */
export const DYNAMIC_LAYERS = ["dyconv", "condconv", "odconv", "dcd", "kernel-warehouse", "fdconv"] as const;

/** One of {@link DYNAMIC_LAYERS}. */
export type DynamicLayer = (typeof DYNAMIC_LAYERS)[number];

/** Which convolutions of a network are dynamic, and how. */
export interface DynamicChoice {
  readonly layer: DynamicLayer;
  /** Number of kernels to mix, for layers with experts. Defaults to 4. */
  readonly experts?: number;
  /** Channels to hidden channels of the attention. Defaults to the layer's own. */
  readonly ratio?: number;
  /** The attention branch of dyconv: the paper's by default, or that of the most used PyTorch port. */
  readonly branch?: "paper" | "port";
  /** Cells to pieces of kernel, of a warehouse. Defaults to 1. */
  readonly cellRatio?: number;
  /** CondConv's routers: one for each block, by default, or one for each layer, as ParameterNet has them. */
  readonly router?: "block" | "layer";
  /** Whether the classifier is dynamic too. Defaults to what is published for the layer and the network. */
  readonly classifier?: boolean;
  /** A policy's name, or a predicate. Defaults to the layer's published policy for the network. */
  readonly where?: SitePolicy | SitePredicate;
}
