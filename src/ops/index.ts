export * from "./activations.js";
export * from "./blocked-convolution.js";
export { fromBlocked, fromBlockedOperator, toBlocked, toBlockedOperator } from "./blocked-layout.js";
export * from "./channel-affine.js";
export { channelDot, channelDotOperator } from "./channel-dot.js";
export * from "./convolution.js";
export {
  type Convolution3dOptions,
  conv3d,
  mixedConv3d,
  type Triple,
  type TripleOption,
  toTriple,
} from "./convolution3d.js";
export * from "./elementwise.js";
export * from "./input.js";
export * from "./layout.js";
export * from "./matmul.js";
export * from "./mixed-convolution.js";
export * from "./mixture.js";
export * from "./normalization.js";
export * from "./per-position-convolution.js";
export * from "./per-sample-convolution.js";
export * from "./pooling.js";
export * from "./reduce.js";
export { unfold2d, type WindowOptions } from "./unfold2d.js";
export { type Pair, type PairOption, toPair, windowOutput } from "./window.js";
