import { multiplyAdds, nodesOf, type Tensor, type TensorType } from "../ir/index.js";
import { applyModel, type Module, type ModuleCall, type Parameter, stateSpecs } from "../nn/index.js";
import { spec, trace } from "../trace/index.js";
import { staticShape } from "../util/shape.js";

const BYTES_PER_PARAMETER = 4;

/** Sizes of one layer, for one image. */
export interface LayerSummary {
  /** Path of the layer, such as `features.8`. */
  readonly name: string;
  /** Class of the layer. */
  readonly type: string;
  /** Shapes without the batch; empty where the layer is not called. */
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  /** Parameters and buffers. */
  readonly parameters: number;
  readonly multiplyAdds: number;
  /** Of parameters and buffers, in float32. */
  readonly bytes: number;
}

/** Sizes of a model, for one image. */
export interface ModelSummary {
  readonly layers: readonly LayerSummary[];
  /** Parameters and buffers, such as running statistics. */
  readonly parameters: number;
  readonly trainableParameters: number;
  /** Of convolutions and matrix products; element-wise arithmetic is not counted. */
  readonly multiplyAdds: number;
  /** Of parameters and buffers, in float32. */
  readonly bytes: number;
}

/** How a model is summarised. */
export interface SummaryOptions {
  /** Height and width of the image. */
  readonly imageSize: number;
}

const product = (sizes: readonly number[]) => sizes.reduce((total, size) => total * size, 1);
const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);
const countOf = (parameters: readonly (readonly [string, Parameter])[]) =>
  total(parameters.map(([, { shape }]) => product(shape)));
const sizesOf = ({ shape }: TensorType) => staticShape(shape, "summary");

/**
 * Layers by path, each once. A layer is a module with parameters of its own, or with no modules below; what is below
 * belongs to it.
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
 * Parameters, shapes and multiply-adds of a model at inference, found by tracing it with one image.
 * A dynamic convolution counts its attention, the mixing of its kernels and one convolution. A layer that is called several times has the shapes of its first call and the
 * multiply-adds of all; parameters that several layers share are counted with the first.
 */
export function summarize(model: Module, { imageSize }: SummaryOptions): ModelSummary {
  const calls = new Map<Module, ModuleCall>();
  const onCall = (call: ModuleCall) => {
    if (!calls.has(call.module)) calls.set(call.module, call);
  };
  const { graph } = trace(
    (tensors: Readonly<Record<string, Tensor>>, x: Tensor) =>
      applyModel(model, tensors, x, { onCall }).output,
    [stateSpecs(model), spec([1, 3, imageSize, imageSize])],
  );
  const nodes = nodesOf(graph);
  const counted = new Set<Parameter>();
  const layers = layersOf(model).map(([name, layer]): LayerSummary => {
    const call = calls.get(layer);
    const inside = nodes.filter(({ scope }) => name === "" || scope === name || scope.startsWith(`${name}.`));
    const own = layer.namedParameters().filter(([, parameter]) => !counted.has(parameter));
    for (const [, parameter] of own) counted.add(parameter);
    const parameters = countOf(own);
    return {
      name,
      type: layer.constructor.name,
      inputShape: call === undefined ? [] : sizesOf(call.input).slice(1),
      outputShape: call === undefined ? [] : sizesOf(call.output).slice(1),
      parameters,
      bytes: parameters * BYTES_PER_PARAMETER,
      multiplyAdds: total(inside.map(multiplyAdds)),
    };
  });
  const parameters = model.namedParameters();
  const count = countOf(parameters);
  return {
    layers,
    parameters: count,
    trainableParameters: countOf(parameters.filter(([, { trainable }]) => trainable)),
    multiplyAdds: total(nodes.map(multiplyAdds)),
    bytes: count * BYTES_PER_PARAMETER,
  };
}
