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

/** Options of a dynamic convolution over sequences. */
export interface DynamicConv1dOptions extends Conv1dOptions, DynamicLayerOptions {}

/**
 * Dynamic convolution over sequences: [B, inChannels, L] → [B, outChannels, L′], otherwise as {@link DynamicConv2d}.
 *
 * Chen et al., "Dynamic Convolution: Attention over Convolution Kernels", CVPR 2020, equation 2.
 */
export class DynamicConv1d extends DynamicConvolution {
  readonly #options: DynamicConv1dOptions;

  /**
   * @param options `experts` 4, `ratio` 4, `routing` softmax, `stride` 1, `padding` 0, `dilation` 1, `groups` 1 and
   * `bias` true by default
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
