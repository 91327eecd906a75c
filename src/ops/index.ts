export * from "./convolution.js";
export * from "./elementwise.js";
export * from "./input.js";
export * from "./layout.js";
export * from "./matmul.js";
export * from "./normalization.js";
export * from "./pooling.js";
export * from "./reduce.js";
export type { Pair, PairOption } from "./window.js";
