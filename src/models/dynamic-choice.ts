import type { SitePolicy, SitePredicate } from "./site.js";

/** Layers that can take the place of a network's convolutions. */
export const DYNAMIC_LAYERS = ["dyconv", "condconv", "odconv", "dcd", "kernel-warehouse", "fdconv"] as const;

/** One of {@link DYNAMIC_LAYERS}. */
export type DynamicLayer = (typeof DYNAMIC_LAYERS)[number];

/** Which convolutions of a network are dynamic, and how. */
export interface DynamicChoice {
  readonly layer: DynamicLayer;
  /** Kernels that are mixed, by layers that have experts; 4 by default. */
  readonly experts?: number;
  /** Channels to hidden channels of the attention; the layer's own by default. */
  readonly ratio?: number;
  /** The attention branch of dyconv: the paper's by default, or that of the most used PyTorch port. */
  readonly branch?: "paper" | "port";
  /** Cells to pieces of kernel, of a warehouse; 1 by default. */
  readonly cellRatio?: number;
  /** CondConv's routers: one for each block, by default, or one for each layer, as ParameterNet has them. */
  readonly router?: "block" | "layer";
  /** Whether the classifier is dynamic too; as published for layer and network by default. */
  readonly classifier?: boolean;
  /** A policy's name, or a predicate; the layer's published policy for the network by default. */
  readonly where?: SitePolicy | SitePredicate;
}
