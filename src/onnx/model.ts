import { fromBinary } from "@bufbuild/protobuf";
import { type ModelProto, ModelProtoSchema, type NodeProto, type TensorProto } from "onnx-buf";
import { CheckpointError } from "../errors/index.js";

/** A tensor of an ONNX model. */
export type OnnxTensor = TensorProto;

/** A node of an ONNX model. */
export type OnnxNode = NodeProto;

/**
 * Reads the bytes of an ONNX model.
 *
 * @throws CheckpointError if the bytes are not a complete ONNX model
 */
export function decodeModel(bytes: Uint8Array, source: string): ModelProto {
  try {
    const model = fromBinary(ModelProtoSchema, bytes);
    if (model.graph !== undefined && model.opsetImport.length > 0) return model;
  } catch (cause) {
    throw new CheckpointError(`${source}: the ONNX model is damaged or cut short`, {
      hint: "Download or export the file again.",
      cause,
    });
  }
  throw new CheckpointError(`${source}: not a complete ONNX model: it has no graph or no opset`, {
    hint: "Download or export the file again.",
  });
}
