import type { Module } from "../nn/index.js";
import type { Warehouses } from "./warehouses.js";

/** A network up to its last feature maps. */
export interface Trunk {
  /** [B, 3, H, W] → [B, channels, H / s, W / s] with output stride s, which defaults to 32. */
  readonly features: Module;
  readonly channels: number;
  /** Cells shared by its convolutions, if any. */
  readonly warehouses: Warehouses | undefined;
}
