import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeKind,
  AttributeProtoSchema,
  TensorProto_DataType as ElementType,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from "onnx-buf";
import { decodeModel } from "../onnx/model.js";
import { halfBits, LARGEST_HALF } from "../util/half.js";

/** Precision of the stored weights of an exported model: 4, 2 or 1 byte each. */
export type WeightPrecision = "float32" | "float16" | "int8";

/** Weights with fewer elements are not compressed. */
const FEWEST = 256;
/** With fewer rows in a matrix, one scale per column would cost as much as it saves. */
const FEWEST_ROWS = 16;
const LARGEST_INT8 = 127;

/**
 * Stores the weights of convolutions and matrix products in fewer bytes. Computation stays in float32: float16 weights
 * pass through `Cast`, int8 weights through `DequantizeLinear` with a scale per output channel, both standard
 * operators. Biases and small tensors are unchanged.
 *
 * @param model ONNX with float32 weights
 * @throws CheckpointError if the bytes are not an ONNX model
 */
export function compressWeights(model: Uint8Array, precision: WeightPrecision): Uint8Array {
  if (precision === "float32") return model;
  const { graph, ...others } = decodeModel(model, "the model");
  const axes = channelAxes(graph!.node);
  const ahead: NodeProto[] = [];
  const stored = graph!.initializer.flatMap((tensor): TensorProto[] => {
    const axis = axes.get(tensor.name);
    if (axis === undefined || tensor.dataType !== ElementType.FLOAT || tensor.rawData.length < 4 * FEWEST) {
      return [tensor];
    }
    const compressed = precision === "float16" ? asHalf(tensor) : asInt8(tensor, axis);
    if (compressed === undefined) return [tensor];
    ahead.push(compressed.node);
    return compressed.tensors;
  });
  const changed = create(GraphProtoSchema, {
    ...graph!,
    node: [...ahead, ...graph!.node],
    initializer: stored,
  });
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { ...others, graph: changed }));
}

/** The output-channel axis of each weight of a convolution or matrix product. */
function channelAxes(nodes: readonly NodeProto[]): ReadonlyMap<string, number> {
  const axes = new Map<string, number>();
  for (const { opType, input, attribute } of nodes) {
    const transposed = attribute.find(({ name }) => name === "transB")?.i === 1n;
    if (opType === "Conv" || (opType === "Gemm" && transposed)) axes.set(input[1]!, 0);
    else if (opType === "ConvTranspose" || opType === "Gemm") axes.set(input[1]!, 1);
    else if (opType === "MatMul") {
      axes.set(input[0]!, -2);
      axes.set(input[1]!, -1);
    }
  }
  return axes;
}

interface Compressed {
  /** Outputs the weight under its original name. */
  readonly node: NodeProto;
  readonly tensors: TensorProto[];
}

function floatsOf({ rawData }: TensorProto): Float32Array {
  return new Float32Array(rawData.slice().buffer);
}

function asHalf(tensor: TensorProto): Compressed | undefined {
  const values = floatsOf(tensor);
  if (values.some((value) => !(Math.abs(value) <= LARGEST_HALF))) return undefined;
  const halves = Uint16Array.from(values, halfBits);
  const name = `${tensor.name}.float16`;
  const to = create(AttributeProtoSchema, {
    name: "to",
    type: AttributeKind.INT,
    i: BigInt(ElementType.FLOAT),
  });
  return {
    node: create(NodeProtoSchema, {
      name: `${tensor.name}/Cast`,
      opType: "Cast",
      input: [name],
      output: [tensor.name],
      attribute: [to],
    }),
    tensors: [
      create(TensorProtoSchema, {
        name,
        dataType: ElementType.FLOAT16,
        dims: tensor.dims,
        rawData: new Uint8Array(halves.buffer),
      }),
    ],
  };
}

function asInt8(tensor: TensorProto, channelAxis: number): Compressed | undefined {
  const values = floatsOf(tensor);
  const shape = tensor.dims.map(Number);
  if (shape.length < 2 || values.some((value) => !Number.isFinite(value))) return undefined;
  const asked = channelAxis < 0 ? channelAxis + shape.length : channelAxis;
  // Such as experts as the rows of a matrix.
  const axis = values.length / shape[asked]! < FEWEST_ROWS ? 0 : asked;
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const channels = shape[axis]!;
  const channelOf = (i: number) => Math.floor(i / inner) % channels;
  const scales = new Float32Array(channels);
  for (const [i, value] of values.entries()) {
    const channel = channelOf(i);
    scales[channel] = Math.max(scales[channel]!, Math.abs(value) / LARGEST_INT8);
  }
  for (const [channel, scale] of scales.entries()) if (scale === 0) scales[channel] = 1;
  const levels = Int8Array.from(values, (value, i) => Math.round(value / scales[channelOf(i)]!));
  const names = { levels: `${tensor.name}.int8`, scales: `${tensor.name}.scale` };
  return {
    node: create(NodeProtoSchema, {
      name: `${tensor.name}/DequantizeLinear`,
      opType: "DequantizeLinear",
      input: [names.levels, names.scales],
      output: [tensor.name],
      attribute: [create(AttributeProtoSchema, { name: "axis", type: AttributeKind.INT, i: BigInt(axis) })],
    }),
    tensors: [
      create(TensorProtoSchema, {
        name: names.levels,
        dataType: ElementType.INT8,
        dims: tensor.dims,
        rawData: new Uint8Array(levels.buffer),
      }),
      create(TensorProtoSchema, {
        name: names.scales,
        dataType: ElementType.FLOAT,
        dims: [BigInt(channels)],
        rawData: new Uint8Array(scales.buffer),
      }),
    ],
  };
}
