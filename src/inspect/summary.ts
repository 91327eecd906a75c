import { multiplyAdds, nodesOf, type Tensor, type TensorType } from "../ir/index.js";
import { applyModel, type Module, type ModuleCall, type Parameter, stateSpecs } from "../nn/index.js";
import { spec, trace } from "../trace/index.js";
import { staticShape } from "../util/shape.js";
import { kernelWarnings, type WarehouseSummary, warehousesOf } from "./kernel-cost.js";
import { scalingMultiplyAdds } from "./scaling.js";

const BYTES_PER_PARAMETER = 4;

/** Sizes of one layer, per image. */
export interface LayerSummary {
  /** Path of the layer, such as `features.8`. */
  readonly name: string;
  /** Class of the layer. */
  readonly type: string;
  /** Shapes without the batch. Empty if the layer is not called. */
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  /** Number of values in parameters and buffers. */
  readonly parameters: number;
  readonly multiplyAdds: number;
  /** Size of parameters and buffers in float32. */
  readonly bytes: number;
}

/** Sizes of a model, per image. */
export interface ModelSummary {
  readonly layers: readonly LayerSummary[];
  /** Number of values in parameters and buffers, such as running statistics. */
  readonly parameters: number;
  readonly trainableParameters: number;
  /** Counted as described by {@link MULTIPLY_ADDS}. */
  readonly multiplyAdds: number;
  /** Size of parameters and buffers in float32. */
  readonly bytes: number;
  /** Cells shared by layers. Their parameters are counted once. */
  readonly warehouses: readonly WarehouseSummary[];
  /** What makes a model unnecessarily large. */
  readonly warnings: readonly string[];
}

/** What counts as a multiply-add, in words. */
export const MULTIPLY_ADDS =
  "convolutions, linear maps, attention, mixing of kernels and ODConv's scaling; not pooling, normalisation, activations";

/** Options of {@link summarize}: the input shape without the batch. */
export type SummaryOptions =
  | {
      /** Height and width of an RGB image. */
      readonly imageSize: number;
    }
  | {
      /** Channels, height and width. */
      readonly inputShape: readonly [number, number, number];
    };

const product = (sizes: readonly number[]) => sizes.reduce((total, size) => total * size, 1);
const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);
const countOf = (parameters: readonly (readonly [string, Parameter])[]) =>
  total(parameters.map(([, { shape }]) => product(shape)));
const sizesOf = ({ shape }: TensorType) => staticShape(shape, "summary");

/**
 * Layers by path, each once. A layer is a module with parameters of its own, or without submodules. Its
 * submodules are part of it.
 */
export function layersOf(model: Module): [path: string, layer: Module][] {
  const seen = new Set<Module>();
  const visit = (path: string, module: Module): [string, Module][] => {
    if (seen.has(module)) return [];
    seen.add(module);
    const children = module.children();
    if (children.length === 0 || module.namedParameters({ recurse: false }).length > 0)
      return [[path, module]];
    return children.flatMap(([name, child]) => visit(path === "" ? name : `${path}.${name}`, child));
  };
  return visit("", model);
}

/**
 * Parameters, shapes and multiply-adds of a model at inference, from tracing it with one image. A dynamic
 * convolution counts its attention, the mixing of its kernels and one convolution. A layer that is called
 * several times has the shapes of its first call and the multiply-adds of all calls. Shared parameters are
 * counted with the first layer that has them.
 */
export function summarize(model: Module, options: SummaryOptions): ModelSummary {
  const inputShape = "imageSize" in options ? [3, options.imageSize, options.imageSize] : options.inputShape;
  const calls = new Map<Module, ModuleCall>();
  const onCall = (call: ModuleCall) => {
    if (!calls.has(call.module)) calls.set(call.module, call);
  };
  const { graph } = trace(
    (tensors: Readonly<Record<string, Tensor>>, x: Tensor) =>
      applyModel(model, tensors, x, { onCall }).output,
    [stateSpecs(model), spec([1, ...inputShape])],
  );
  const nodes = nodesOf(graph);
  const counted = new Set<Parameter>();
  const layers = layersOf(model).map(([name, layer]): LayerSummary => {
    const call = calls.get(layer);
    const inside = nodes.filter(({ scope }) => name === "" || scope === name || scope.startsWith(`${name}.`));
    const own = layer.namedParameters().filter(([, parameter]) => !counted.has(parameter));
    for (const [, parameter] of own) counted.add(parameter);
    const parameters = countOf(own);
    const [inputShape, outputShape] =
      call === undefined ? [[], []] : [call.input, call.output].map((tensor) => sizesOf(tensor).slice(1));
    return {
      name,
      type: layer.constructor.name,
      inputShape: inputShape!,
      outputShape: outputShape!,
      parameters,
      bytes: parameters * BYTES_PER_PARAMETER,
      multiplyAdds: total(inside.map(multiplyAdds)) + scalingMultiplyAdds(layer, inputShape!, outputShape!),
    };
  });
  const scaling = layersOf(model).map(([, layer], n) =>
    scalingMultiplyAdds(layer, layers[n]!.inputShape, layers[n]!.outputShape),
  );
  const parameters = model.namedParameters();
  const count = countOf(parameters);
  return {
    layers,
    parameters: count,
    trainableParameters: countOf(parameters.filter(([, { trainable }]) => trainable)),
    multiplyAdds: total(nodes.map(multiplyAdds)) + total(scaling),
    warehouses: warehousesOf(model),
    warnings: kernelWarnings(model),
    bytes: count * BYTES_PER_PARAMETER,
  };
}
