import { nodesOf, type Tensor, type TensorType } from "../ir/index.js";
import { applyModel, type Module, Parameter } from "../nn/index.js";
import { spec, trace } from "../trace/index.js";
import { staticShape } from "../util/shape.js";

const BYTES_PER_PARAMETER = 4;

/** Sizes of one layer, for one image. */
export interface LayerSummary {
  /** Path of the layer, such as `features.8`. */
  readonly name: string;
  /** Class of the layer. */
  readonly type: string;
  /** Shapes without the batch. */
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
const sizesOf = ({ shape }: TensorType) => staticShape(shape, "summary");

/** Multiply-adds of a node: of each output element, as many as it sums products. */
function multiplyAdds({ operator, inputs, shape }: Tensor): number {
  const outputs = product(staticShape(shape, "summary"));
  if (operator.name === "conv2d") return outputs * product(sizesOf(inputs[1]!).slice(1));
  if (operator.name === "matmul") return outputs * sizesOf(inputs[0]!).at(-1)!;
  return 0;
}

/** Layers by path. A layer is a module with parameters of its own, or with no modules below; what is below belongs to it. */
export function layersOf(module: Module, path = ""): [path: string, layer: Module][] {
  const children = module.children();
  const ownsParameters = Object.values(module).some((value) => value instanceof Parameter);
  if (ownsParameters || children.length === 0) return [[path, module]];
  return children.flatMap(([name, child]) => layersOf(child, path === "" ? name : `${path}.${name}`));
}

/**
 * Parameters, shapes and multiply-adds of a model at inference, found by tracing it with one image.
 * A dynamic convolution counts its attention and what its plan does, for one image as a rule the mixing of its
 * kernels and one convolution.
 */
export function summarize(model: Module, { imageSize }: SummaryOptions): ModelSummary {
  const parameters = model.namedParameters();
  const state = Object.fromEntries(parameters.map(([name, { shape }]) => [name, spec(shape)]));
  const { graph } = trace(
    (tensors: Readonly<Record<string, Tensor>>, x: Tensor) => applyModel(model, tensors, x).output,
    [state, spec([1, 3, imageSize, imageSize])],
  );
  const nodes = nodesOf(graph);
  const image = graph.inputs.at(-1)!.tensor;
  const fromImage = new Set([image]);
  for (const node of nodes) if (node.inputs.some((input) => fromImage.has(input))) fromImage.add(node);

  let last = image;
  const layers = layersOf(model).map(([name, layer]): LayerSummary => {
    const inside = new Set(
      nodes.filter(
        ({ scope, operator }) =>
          operator.name !== "input" && (name === "" || scope === name || scope.startsWith(`${name}.`)),
      ),
    );
    const path = [...inside].filter((node) => fromImage.has(node));
    const input = path
      .flatMap((node) => node.inputs)
      .find((node) => fromImage.has(node) && !inside.has(node));
    // A layer without nodes, such as dropout at inference, hands on what it is given.
    const output = path.at(-1) ?? last;
    const inputShape = sizesOf(input ?? last).slice(1);
    const parameters = total(layer.namedParameters().map(([, { shape }]) => product(shape)));
    last = output;
    return {
      name,
      type: layer.constructor.name,
      inputShape,
      outputShape: sizesOf(output).slice(1),
      parameters,
      bytes: parameters * BYTES_PER_PARAMETER,
      multiplyAdds: total([...inside].map(multiplyAdds)),
    };
  });
  const count = total(parameters.map(([, { shape }]) => product(shape)));
  return {
    layers,
    parameters: count,
    trainableParameters: total(
      parameters.map(([, { shape, trainable }]) => (trainable ? product(shape) : 0)),
    ),
    multiplyAdds: total(nodes.map(multiplyAdds)),
    bytes: count * BYTES_PER_PARAMETER,
  };
}
