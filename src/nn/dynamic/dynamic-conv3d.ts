import type { Tensor } from "../../ir/index.js";
import { mixedConv3d, type TripleOption } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { type Conv3dOptions, convolution3dShape } from "../layers/convolution.js";
import { DynamicConvolution, type DynamicLayerOptions } from "./dynamic-convolution.js";

/** Options of {@link DynamicConv3d}. */
export interface DynamicConv3dOptions extends Conv3dOptions, DynamicLayerOptions {}

/**
 * Dynamic convolution over volumes: [B, inChannels, D, H, W] → [B, outChannels, D′, H′, W′], otherwise like
 * {@link DynamicConv2d}.
 *
 * Chen et al., "Dynamic Convolution: Attention over Convolution Kernels", CVPR 2020, equation 2.
 */
export class DynamicConv3d extends DynamicConvolution {
  readonly #options: DynamicConv3dOptions;

  /**
   * @param kernelSize kernel depth, height and width, or one number for all
   * @param options `experts` defaults to 4, `ratio` to 4, `routing` to softmax, `stride` to 1, `padding` to 0,
   * `dilation` to 1, `groups` to 1 and `bias` to true
   * @throws UsageError for a number of experts below 1, or groups that do not divide the channels
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: TripleOption,
    options: DynamicConv3dOptions = {},
  ) {
    const shape = convolution3dShape({ inChannels, outChannels, kernelSize }, options);
    super({ inChannels, outChannels, shape, dimensions: 3 }, options);
    this.#options = options;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const { attention, bias } = this.attend(x, context);
    return mixedConv3d(x, attention, context.read(this.weight), bias, this.#options);
  }
}
