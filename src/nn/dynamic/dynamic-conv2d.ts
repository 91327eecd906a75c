import type { Tensor } from "../../ir/index.js";
import { mixedConv2d, type PairOption } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { type Conv2dOptions, convolutionShape } from "../layers/convolution.js";
import { DynamicConvolution, type DynamicLayerOptions } from "./dynamic-convolution.js";

/** Options of {@link DynamicConv2d}. */
export interface DynamicConv2dOptions extends Conv2dOptions, DynamicLayerOptions {}

/**
 * Dynamic convolution, a drop-in replacement for `Conv2d`: [B, inChannels, H, W] → [B, outChannels, H′, W′]. Each
 * sample is convolved with its own mixture Σₖ πₖ(x) Wₖ of K kernels, with bias Σₖ πₖ(x) bₖ.
 *
 * Chen et al., "Dynamic Convolution: Attention over Convolution Kernels", CVPR 2020, equation 2.
 *
 * At the neutral point, all experts are the same kernel V: the layer is the plain convolution with V, whatever π.
 *
 * @example
 * const layer = new DynamicConv2d(128, 192, 3, { padding: 1, experts: 4 });
 */
export class DynamicConv2d extends DynamicConvolution {
  readonly #options: DynamicConv2dOptions;

  /**
   * @param inChannels channels of the input, a multiple of `groups`
   * @param outChannels channels of the output, a multiple of `groups`
   * @param kernelSize kernel height and width, or one number for both
   * @param options `experts` defaults to 4, `ratio` to 4, `routing` to softmax, `stride` to 1, `padding` to 0,
   * `dilation` to 1, `groups` to 1 and `bias` to true
   * @throws UsageError for a number of experts below 1, or groups that do not divide the channels
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: PairOption,
    options: DynamicConv2dOptions = {},
  ) {
    const shape = convolutionShape({ inChannels, outChannels, kernelSize }, options);
    super({ inChannels, outChannels, shape, dimensions: 2 }, options);
    this.#options = options;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const { attention, bias } = this.attend(x, context);
    return mixedConv2d(x, attention, context.read(this.weight), bias, this.#options);
  }
}
