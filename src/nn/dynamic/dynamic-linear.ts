import { expectWhole } from "../../errors/expect.js";
import { ShapeError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import { add, matmul, mean, mixedConv2d, mixKernels, reshape, transposeLast } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { DynamicConvolution, type DynamicLayerOptions } from "./dynamic-convolution.js";

/**
 * Dynamic fully connected layer, a drop-in replacement for `Linear`: [B, …, inFeatures] → [B, …, outFeatures], y = (Σₖ
 * πₖ Wₖ)·x + Σₖ πₖ bₖ. The attention reads x, or the mean of its vectors if a sample has several. For single vectors,
 * this is {@link DynamicConv2d} with a 1×1 kernel on one pixel.
 *
 * Chen et al., "Dynamic Convolution: Attention over Convolution Kernels", CVPR 2020, equation 2: the dynamic perceptron.
 */
export class DynamicLinear extends DynamicConvolution {
  readonly #options: DynamicLayerOptions;

  /**
   * @param options `experts` defaults to 4, `ratio` to 4, `routing` to softmax and `bias` to true
   * @throws UsageError for sizes or a number of experts that are not whole numbers of at least 1
   */
  constructor(inFeatures: number, outFeatures: number, options: DynamicLayerOptions = {}) {
    expectWhole("DynamicLinear: inFeatures", inFeatures);
    expectWhole("DynamicLinear: outFeatures", outFeatures);
    const shape = [outFeatures, inFeatures];
    super({ inChannels: inFeatures, outChannels: outFeatures, shape, dimensions: 0 }, options);
    this.#options = options;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const experts = context.read(this.weight);
    const [, outFeatures, inFeatures] = experts.shape;
    if (x.shape.length < 2 || x.shape.at(-1) !== inFeatures) {
      throw new ShapeError("DynamicLinear", `[B, …, ${inFeatures}]`, formatType(x));
    }
    const [batch, ...inner] = x.shape.slice(0, -1);
    const axes = inner.map((_, i) => i + 1);
    const { attention, bias } = this.attend(inner.length === 0 ? x : mean(x, { axes }), context);
    if (inner.length === 0) {
      const pixel = reshape(x, [batch!, inFeatures!, 1, 1]);
      const kernels = reshape(experts, [...experts.shape, 1, 1]);
      const { plan = "auto" } = this.#options;
      return reshape(mixedConv2d(pixel, attention, kernels, bias, { plan }), [batch!, outFeatures!]);
    }
    const vectors = reshape(x, [batch!, -1, inFeatures!]);
    const y = matmul(vectors, transposeLast(mixKernels(attention, experts)));
    const shifted = bias ? add(y, reshape(bias, [batch!, 1, outFeatures!])) : y;
    return reshape(shifted, [batch!, ...inner, outFeatures!]);
  }
}
