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

/** How an exported model keeps its weights: 4, 2 or 1 byte each. */
export type WeightPrecision = "float32" | "float16" | "int8";

/** Weights with fewer elements stay as they are. */
const FEWEST = 256;
/** Rows of a matrix below which a scale for each column would take as much as it saves. */
const FEWEST_ROWS = 16;
const LARGEST_INT8 = 127;

/**
 * Stores the weights of convolutions and products in fewer bytes; what is computed with them stays float32. float16
 * weights pass through `Cast`, int8 ones through `DequantizeLinear` with a scale for each output channel, as standard
 * operators do it. Biases and small tensors stay as they are.
 *
 * @param model ONNX with float32 weights
 * @throws CheckpointError where the bytes are no ONNX model
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

/** Of each weight of a convolution or product the axis of its output channels. */
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
  /** Gives the weight under its old name. */
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
  // Experts as rows of a matrix, for example.
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
