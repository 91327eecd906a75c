import type { Tensor } from "../../ir/index.js";
import { reshape } from "../../ops/index.js";
import { elementCount } from "../../util/shape.js";
import { Module } from "../module.js";

/** Flattens all axes except the batch: [B, C, H, W] → [B, C·H·W], and likewise for other shapes. */
export class Flatten extends Module {
  forward(x: Tensor): Tensor {
    return reshape(x, [x.shape[0]!, elementCount(x.shape.slice(1), "Flatten")]);
  }
}
