import {
  CondConv2d,
  ContextDynamicConv2d,
  DynamicConvolution,
  FrequencyDynamicConv2d,
  KernelWarehouseConv2d,
  type Module,
  ODConv2d,
  type Parameter,
} from "../nn/index.js";
import { elementCount } from "../util/shape.js";

/** A warehouse of cells, and its users. */
export interface WarehouseSummary {
  /** State name of the cells. */
  readonly name: string;
  readonly cells: number;
  /** Shape of a cell: output channels, input channels, height, width. */
  readonly cellShape: readonly number[];
  /** Parameters of all cells, counted once. */
  readonly parameters: number;
  /** Number of layers whose kernels are mixed from it. */
  readonly layers: number;
  /** Number of pieces of all these kernels. */
  readonly mixtures: number;
}

/** Parameters of dynamic layers, and of the static kernels that they replace. */
interface KernelCost {
  readonly dynamic: number;
  readonly plain: number;
  /** Like `dynamic` and `plain`, for 1×1 kernels only. */
  readonly pointwise: { readonly dynamic: number; readonly plain: number };
}

/** The warehouses of a model, by state name. */
export function warehousesOf(model: Module): readonly WarehouseSummary[] {
  const names = new Map<Parameter, string>(model.namedParameters().map(([name, p]) => [p, name]));
  const found = new Map<Parameter, WarehouseSummary>();
  for (const [, layer] of model.namedModules()) {
    if (!(layer instanceof KernelWarehouseConv2d)) continue;
    const { warehouse, share } = layer;
    const [cells, ...cellShape] = warehouse.shape as readonly [number, ...number[]];
    const { layers = 0, mixtures = 0 } = found.get(warehouse) ?? {};
    found.set(warehouse, {
      ...{ name: names.get(warehouse) ?? "", cells, cellShape, parameters: elementCount(warehouse.shape) },
      ...{ layers: layers + 1, mixtures: mixtures + share.mixtures },
    });
  }
  return [...found.values()];
}

/** Shape of the static kernel that a layer replaces. `undefined` for layers that do not mix kernels. */
function plainKernel(layer: unknown): readonly number[] | undefined {
  if (
    layer instanceof DynamicConvolution ||
    layer instanceof CondConv2d ||
    layer instanceof ODConv2d ||
    layer instanceof ContextDynamicConv2d ||
    layer instanceof FrequencyDynamicConv2d
  ) {
    return layer.weight.shape.slice(1);
  }
  if (!(layer instanceof KernelWarehouseConv2d)) return undefined;
  const [, out, ...inner] = layer.warehouse.shape as readonly [number, number, ...number[]];
  return [layer.share.mixtures * out, ...inner];
}

function kernelCost(model: Module): KernelCost {
  const counted = new Set<Parameter>();
  const cost = { dynamic: 0, plain: 0, pointwise: { dynamic: 0, plain: 0 } };
  for (const [, layer] of model.namedModules()) {
    const kernel = plainKernel(layer);
    if (kernel === undefined) continue;
    const own = layer.namedParameters().filter(([, p]) => p.trainable && !counted.has(p));
    for (const [, parameter] of own) counted.add(parameter);
    const dynamic = own.reduce((total, [, { shape }]) => total + elementCount(shape), 0);
    const isPointwise = kernel.length > 2 && elementCount(kernel.slice(2)) === 1;
    for (const sum of isPointwise ? [cost, cost.pointwise] : [cost]) {
      sum.dynamic += dynamic;
      sum.plain += elementCount(kernel);
    }
  }
  return cost;
}

/** Dynamic layers with at least this many times the parameters of the static kernels cause a warning. */
const MULTIPLIED = 2;

/** Warnings before training: dynamic layers that multiply the parameters. */
export function kernelWarnings(model: Module): readonly string[] {
  const { dynamic, plain, pointwise } = kernelCost(model);
  if (plain === 0 || dynamic < MULTIPLIED * plain) return [];
  const times = (dynamic / plain).toFixed(1);
  const share = Math.round((100 * pointwise.dynamic) / dynamic);
  const where = pointwise.plain > 0 ? `; ${share} % of them are in 1×1 convolutions` : "";
  return [
    `dynamic layers hold ${millions(dynamic)} parameters, ${times} times those of the static kernels they replace${where}: ` +
      "fewer experts, a smaller cell ratio or fewer dynamic convolutions make it smaller",
  ];
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(2)} M`;
}
