export * from "./apply.js";
export * from "./dynamic/cost-model.js";
export { DynamicConv2d, type DynamicConv2dOptions } from "./dynamic/dynamic-conv2d.js";
export type { MixingPlan } from "./dynamic/mix.js";
export { type Routing, RoutingAttention, type RoutingOptions } from "./dynamic/routing-attention.js";
export * from "./initializers.js";
export * from "./layers.js";
export * from "./losses.js";
export * from "./module.js";
