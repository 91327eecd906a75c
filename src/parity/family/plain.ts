/** What a layer must equal at its neutral point: a plain convolution with a kernel of the case. */
import type { Tensor } from "../../ir/index.js";
import { type ConvolutionOptions, conv2d } from "../../ops/index.js";

/** `y` of the plain convolution of `x` with `plain.weight`, and `plain.bias` where there is one. */
export function plainConv2d(
  options: ConvolutionOptions,
): (tensors: Readonly<Record<string, Tensor>>) => Record<string, Tensor> {
  return (tensors) => ({
    y: conv2d(tensors.x!, tensors["plain.weight"]!, tensors["plain.bias"], options),
  });
}
