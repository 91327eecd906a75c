/**
 * Dynamic convolution networks: written as functions over tensors, traced to a graph, differentiated, and
 * run by ONNX Runtime.
 *
 * @packageDocumentation
 */
export * from "./errors/index.js";
export * from "./export/index.js";
export * from "./grad/index.js";
export * from "./ir/index.js";
export * from "./models/index.js";
export * from "./nn/index.js";
export type { InitializerData, OnnxAttribute, OnnxBuilder, OnnxValue } from "./onnx/builder.js";
export * from "./ops/index.js";
export * from "./optim/index.js";
export { REWRITE_NAMES, type RewriteName } from "./rewrite/index.js";
export * from "./runtime/index.js";
export * from "./trace/index.js";
export { RandomStream } from "./util/random.js";
export type { MapTree, Tree } from "./util/tree.js";
