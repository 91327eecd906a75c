import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  TensorProto_DataType as ElementType,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { decodeModel } from "../onnx/model.js";

/** A tensor between two nodes, as observed in a run. */
export interface Edge {
  /** Element type, such as `"float32"`. */
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** Sizes of a model's dynamic dimensions in one run, by name. */
export type OpenSizes = Readonly<Record<string, number>>;

/** The edges of a run, and the sizes of the dynamic dimensions in it. */
export interface EdgesOfRun {
  readonly sizes: OpenSizes;
  readonly edges: Readonly<Record<string, Edge>>;
}

const ELEMENT_TYPES: Readonly<Record<string, ElementType>> = {
  float32: ElementType.FLOAT,
  float16: ElementType.FLOAT16,
  int64: ElementType.INT64,
  int32: ElementType.INT32,
  uint8: ElementType.UINT8,
  int8: ElementType.INT8,
  bool: ElementType.BOOL,
};

/** The model with every intermediate tensor as an additional output. */
export function withEdgesAsOutputs(model: Uint8Array): Uint8Array {
  const decoded = decodeModel(model, "the model");
  const graph = decoded.graph!;
  const known = new Set(graph.output.map(({ name }) => name));
  const inner = graph.node.flatMap(({ output }) => output).filter((name) => name !== "" && !known.has(name));
  const output = [...graph.output, ...inner.map((name) => create(ValueInfoProtoSchema, { name }))];
  return encode(decoded, { ...graph, output });
}

/**
 * The model with the type and shape of every intermediate tensor declared, for viewers and converters. Sizes that
 * differ between the two runs depend on dynamic dimensions.
 */
export function withDeclaredEdges(model: Uint8Array, runs: readonly [EdgesOfRun, EdgesOfRun]): Uint8Array {
  const decoded = decodeModel(model, "the model");
  const graph = decoded.graph!;
  const outputs = new Set(graph.output.map(({ name }) => name));
  const names = graph.node.flatMap(({ output }) => output).filter((name) => !outputs.has(name));
  const valueInfo = names.flatMap((name) => {
    const [first, second] = runs.map(({ edges }) => edges[name]);
    if (first === undefined || second === undefined) return [];
    const dim = first.shape.map((size, axis) => {
      const value = symbolOf([size, second.shape[axis]!], [runs[0].sizes, runs[1].sizes]);
      return create(TensorShapeProto_DimensionSchema, {
        ...(typeof value === "number" && { value: { case: "dimValue", value: BigInt(value) } }),
        ...(typeof value === "string" && { value: { case: "dimParam", value } }),
      });
    });
    const tensorType = create(TypeProto_TensorSchema, {
      elemType: ELEMENT_TYPES[first.dtype] ?? ElementType.UNDEFINED,
      shape: create(TensorShapeProtoSchema, { dim }),
    });
    const type = create(TypeProtoSchema, { value: { case: "tensorType", value: tensorType } });
    return [create(ValueInfoProtoSchema, { name, type })];
  });
  return encode(decoded, { ...graph, valueInfo });
}

/** A constant size, the name of a dynamic dimension, or a multiple of one; otherwise `undefined`. */
function symbolOf(found: readonly [number, number], sizes: readonly [OpenSizes, OpenSizes]) {
  if (found[0] === found[1]) return found[0];
  for (const [name, size] of Object.entries(sizes[0])) {
    const factor = found[0] / size;
    if (!Number.isInteger(factor) || factor * sizes[1][name]! !== found[1]) continue;
    return factor === 1 ? name : `${factor}*${name}`;
  }
  return undefined;
}

/** Multiply-adds of the convolutions and matrix products of a model, given the edges of a run. */
export function countMultiplyAdds(model: Uint8Array, edges: Readonly<Record<string, Edge>>): number {
  const graph = decodeModel(model, "the model").graph!;
  const constants = graph.initializer.map(({ name, dims }) => [name, dims.map(Number)] as const);
  const shapes = new Map<string, readonly number[]>(constants);
  for (const [name, { shape }] of Object.entries(edges)) shapes.set(name, shape);
  const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);
  return graph.node.reduce((sum, node) => sum + product(windowOf(node, shapes)), 0);
}

/** The sizes whose product is the number of multiply-adds; [0] for other operators. */
function windowOf(
  { opType, input, output, attribute }: NodeProto,
  shapes: ReadonlyMap<string, readonly number[]>,
) {
  const [x, w, y] = [input[0], input[1], output[0]].map((name) => shapes.get(name ?? "") ?? []);
  if (opType === "Conv") return [...y!, ...w!.slice(1)];
  if (opType === "ConvTranspose") return [...x!, ...w!.slice(1)];
  if (opType === "MatMul") return [...y!, x!.at(-1) ?? 0];
  if (opType !== "Gemm") return [0];
  const transposed = attribute.find(({ name }) => name === "transA")?.i === 1n;
  return [...y!, x![transposed ? 0 : 1] ?? 0];
}

/** Names of the convolutions of a model whose weight is computed at run time. */
export function computedConvolutions(model: Uint8Array): readonly string[] {
  const graph = decodeModel(model, "the model").graph!;
  const constant = new Set(graph.initializer.map(({ name }) => name));
  return graph.node
    .filter(({ opType, input }) => opType.startsWith("Conv") && !constant.has(input[1]!))
    .map(({ name }) => name);
}

function encode(model: ModelProto, graph: MessageInitShape<typeof GraphProtoSchema>): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { ...model, graph: create(GraphProtoSchema, graph) }),
  );
}
