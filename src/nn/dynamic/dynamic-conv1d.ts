import { ShapeError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import { mixedConv2d } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import {
  asImageOptions,
  type Conv1dOptions,
  convolution1dShape,
  withHeight,
  withoutHeight,
} from "../layers/convolution.js";
import { DynamicConvolution, type DynamicLayerOptions } from "./dynamic-convolution.js";

/** Options of {@link DynamicConv1d}. */
export interface DynamicConv1dOptions extends Conv1dOptions, DynamicLayerOptions {}

/**
 * Dynamic convolution over sequences: [B, inChannels, L] → [B, outChannels, L′], otherwise like {@link DynamicConv2d}.
 *
 * Chen et al., "Dynamic Convolution: Attention over Convolution Kernels", CVPR 2020, equation 2.
 */
export class DynamicConv1d extends DynamicConvolution {
  readonly #options: DynamicConv1dOptions;

  /**
   * @param options `experts` defaults to 4, `ratio` to 4, `routing` to softmax, `stride` to 1, `padding` to 0,
   * `dilation` to 1, `groups` to 1 and `bias` to true
   * @throws UsageError for a number of experts below 1, or groups that do not divide the channels
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number,
    options: DynamicConv1dOptions = {},
  ) {
    const shape = convolution1dShape({ inChannels, outChannels, kernelSize }, options);
    super({ inChannels, outChannels, shape, dimensions: 1 }, options);
    this.#options = options;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    if (x.shape.length !== 3) throw new ShapeError("DynamicConv1d", "[B, C, L]", formatType(x));
    const { attention, bias } = this.attend(x, context);
    const { plan = "auto" } = this.#options;
    const options = { ...asImageOptions(this.#options), plan };
    const y = mixedConv2d(withHeight(x), attention, withHeight(context.read(this.weight)), bias, options);
    return withoutHeight(y);
  }
}
