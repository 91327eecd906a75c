import type { Tensor } from "../../ir/index.js";
import { mixedConvTranspose2d, type PairOption } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { type ConvTranspose2dOptions, convolutionShape } from "../layers/convolution.js";
import { DynamicConvolution, type DynamicLayerOptions } from "./dynamic-convolution.js";

/** Options of {@link DynamicConvTranspose2d}. */
export interface DynamicConvTranspose2dOptions extends ConvTranspose2dOptions, DynamicLayerOptions {}

/**
 * Dynamic transposed convolution, a drop-in replacement for `ConvTranspose2d`: [B, inChannels, H, W] → [B, outChannels,
 * H′, W′] with H′ = (H − 1)·stride − 2·padding + dilation·(kh − 1) + outputPadding + 1, and likewise W′; otherwise like
 * {@link DynamicConv2d}. Experts have the layout of transposed convolutions, [K, inChannels, outChannels / groups, kh,
 * kw].
 *
 * Chen et al., "Dynamic Convolution: Attention over Convolution Kernels", CVPR 2020, equation 2.
 *
 * @example
 * new DynamicConvTranspose2d(256, 256, 4, { stride: 2, padding: 1 }); // [B, 256, 8, 6] → [B, 256, 16, 12]
 */
export class DynamicConvTranspose2d extends DynamicConvolution {
  readonly #options: DynamicConvTranspose2dOptions;

  /**
   * @param kernelSize kernel height and width, or one number for both
   * @param options `experts` defaults to 4, `ratio` to 4, `routing` to softmax, `stride` to 1, `padding` to 0,
   * `outputPadding` to 0, `dilation` to 1, `groups` to 1 and `bias` to true
   * @throws UsageError for a number of experts below 1, or groups that do not divide the channels
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: PairOption,
    options: DynamicConvTranspose2dOptions = {},
  ) {
    // A transposed convolution is the gradient of a convolution with inputs and outputs swapped.
    const turned = { inChannels: outChannels, outChannels: inChannels, kernelSize };
    const shape = convolutionShape(turned, options);
    super({ inChannels, outChannels, shape, dimensions: 2 }, options);
    this.#options = options;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const { attention, bias } = this.attend(x, context);
    return mixedConvTranspose2d(x, attention, context.read(this.weight), bias, this.#options);
  }
}
