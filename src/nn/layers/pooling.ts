import type { Tensor } from "../../ir/index.js";
import {
  adaptiveAvgPool2d,
  avgPool2d,
  maxPool2d,
  type PairOption,
  type PoolingOptions,
  poolingAttributes,
  toPair,
} from "../../ops/index.js";
import { Module } from "../module.js";

/**
 * Maximum over windows: [B, C, H, W] → [B, C, H′, W′], where H′ = ⌊(H + 2·padding − kh) / stride⌋ + 1, and likewise W′.
 * Padding counts as −∞.
 */
export class MaxPool2d extends Module {
  readonly #options: PoolingOptions;

  /** @throws UsageError for sizes that are not whole numbers, or padding beyond half the window */
  constructor(kernelSize: PairOption, options: Omit<PoolingOptions, "kernelSize"> = {}) {
    super();
    this.#options = { kernelSize, ...options };
    poolingAttributes(this.#options);
  }

  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.#options);
  }
}

/**
 * Mean over windows: [B, C, H, W] → [B, C, H′, W′], where H′ = ⌊(H + 2·padding − kh) / stride⌋ + 1, and likewise W′.
 * Padding counts as zeros, PyTorch's default.
 */
export class AvgPool2d extends Module {
  readonly #options: PoolingOptions;

  /** @throws UsageError for sizes that are not whole numbers, or padding beyond half the window */
  constructor(kernelSize: PairOption, options: Omit<PoolingOptions, "kernelSize"> = {}) {
    super();
    this.#options = { kernelSize, ...options };
    poolingAttributes(this.#options);
  }

  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.#options);
  }
}

/**
 * Mean over one window per output position: [B, C, H, W] → [B, C, H′, W′]. Windows overlap if the output size does not
 * divide the image size. PyTorch's `AdaptiveAvgPool2d`.
 */
export class AdaptiveAvgPool2d extends Module {
  readonly #outputSize: PairOption;

  /**
   * @param outputSize H′ and W′, or one number for both; defaults to 1, the mean over the whole image
   * @throws UsageError for sizes that are not whole numbers of at least 1
   */
  constructor(outputSize: PairOption = 1) {
    super();
    toPair("outputSize", outputSize, 1);
    this.#outputSize = outputSize;
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.#outputSize);
  }
}
