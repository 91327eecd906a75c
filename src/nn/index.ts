export { AnnealedScalar, type Annealing, annealedAt } from "./annealed-scalar.js";
export * from "./apply.js";
export type { AttentionActivation, ForwardContext, RecordedAttention } from "./context.js";
export type { BandMasks } from "./dynamic/band-modulation.js";
export { CondConvBlock, type CondConvBlockOptions } from "./dynamic/cond-conv-block.js";
export { CondConv2d, type CondConv2dOptions, CondConvRouter } from "./dynamic/cond-conv2d.js";
export type { DCDBranch } from "./dynamic/dcd.js";
export { DCDConv2d, type DCDConv2dOptions, type DCDWidths } from "./dynamic/dcd-conv2d.js";
export { DCDLinear, type DCDLinearOptions } from "./dynamic/dcd-linear.js";
export { DDF, type DDFOptions } from "./dynamic/ddf.js";
export { ContextDyReLU, DyReLU } from "./dynamic/dy-relu.js";
export {
  ContextDynamicConv2d,
  type ContextDynamicConv2dOptions,
  DYMN_TEMPERATURE,
  DyMNBlock,
  type DyMNBlockOptions,
  type DyMNContext,
  dymnContextSize,
  dymnTemperature,
} from "./dynamic/dymn-block.js";
export {
  DynamicConvTranspose2d,
  type DynamicConvTranspose2dOptions,
} from "./dynamic/dynamic-conv-transpose2d.js";
export { DynamicConv1d, type DynamicConv1dOptions } from "./dynamic/dynamic-conv1d.js";
export { DynamicConv2d, type DynamicConv2dOptions } from "./dynamic/dynamic-conv2d.js";
export { DynamicConv3d, type DynamicConv3dOptions } from "./dynamic/dynamic-conv3d.js";
export {
  DynamicConvolution,
  type DynamicExperts,
  type DynamicLayerOptions,
} from "./dynamic/dynamic-convolution.js";
export { DynamicLinear } from "./dynamic/dynamic-linear.js";
export {
  type FDBranch,
  FDConv2d,
  type FDConv2dOptions,
  type FDLocal,
  suitsFDConv,
} from "./dynamic/fd-conv2d.js";
export {
  FrequencyDynamicConv2d,
  type FrequencyDynamicConv2dOptions,
  type FrequencyRouting,
} from "./dynamic/fdy-conv2d.js";
export { Involution2d, type Involution2dOptions } from "./dynamic/involution2d.js";
export {
  KernelWarehouse,
  KernelWarehouseConv2d,
  type KernelWarehouseOptions,
  ownershipSchedule,
  WAREHOUSE_OWNERSHIP,
  type WarehouseLayerOptions,
} from "./dynamic/kernel-warehouse.js";
export { LSConv, type LSConvOptions } from "./dynamic/ls-conv.js";
export { type ODBranch, ODConv2d, type ODConv2dOptions } from "./dynamic/od-conv2d.js";
export {
  type PlainStart,
  type PlainWeights,
  type StartsPlain,
  type StartsUniform,
  startsPlain,
} from "./dynamic/plain-start.js";
export { type Routing, RoutingAttention, type RoutingOptions } from "./dynamic/routing-attention.js";
export type { BranchNormOptions, SqueezedBranch, SqueezeOptions } from "./dynamic/squeezed-branch.js";
export { ROUTING_TEMPERATURE, type TemperatureOptions, temperatureSchedule } from "./dynamic/temperature.js";
export type {
  WarehouseAttentionOptions,
  WarehouseBranch,
  WarehousePlace,
} from "./dynamic/warehouse-attention.js";
export type { WarehouseRatios, WarehouseShare } from "./dynamic/warehouse-plan.js";
export { freeze } from "./freeze.js";
export { beginPlain, type FromStaticOptions, sharedRouting, startFromStatic } from "./from-static.js";
export * from "./initializers.js";
export * from "./layers/activation.js";
export {
  Conv1d,
  type Conv1dOptions,
  Conv2d,
  type Conv2dOptions,
  Conv3d,
  type Conv3dOptions,
  ConvTranspose2d,
  type ConvTranspose2dOptions,
} from "./layers/convolution.js";
export * from "./layers/dropout.js";
export * from "./layers/flatten.js";
export * from "./layers/linear.js";
export * from "./layers/normalization.js";
export * from "./layers/pooling.js";
export { GRU, type GRUOptions } from "./layers/recurrent.js";
export * from "./layers/squeeze-excitation.js";
export * from "./losses.js";
export { type AnyModule, Module } from "./module.js";
export { type Initializer, Parameter } from "./parameter.js";
export { Sequential } from "./sequential.js";
export * from "./state.js";
export * from "./training-inputs.js";
