import { CheckpointError } from "../errors/index.js";
import { ELEMENT_READERS, type StoredTensor } from "../files/index.js";
import { decodeModel, type OnnxTensor } from "../onnx/model.js";
import { formatShape } from "../util/shape.js";
import type { DecodedWeights } from "./weights-file.js";

/** Safetensors codes of the supported ONNX element types. */
const CODES: Readonly<Record<number, string>> = {
  1: "F32",
  2: "U8",
  6: "I32",
  7: "I64",
  9: "BOOL",
  10: "F16",
  11: "F64",
  16: "BF16",
};

/**
 * Reads the initialisers of an ONNX model.
 *
 * @throws CheckpointError if the file is not an ONNX model, or stores its tensors in other files
 */
export function decodeOnnxWeights(bytes: Uint8Array, source: string): DecodedWeights {
  const { graph } = decodeModel(bytes, source);
  const tensors = (graph?.initializer ?? []).flatMap((tensor): [string, StoredTensor][] => {
    // Besides weights, a file may hold other constants, such as shapes and strings.
    return CODES[tensor.dataType] === undefined ? [] : [[tensor.name, readOnnxTensor(tensor, source)]];
  });
  if (tensors.length === 0) throw new CheckpointError(`${source}: the ONNX model has no initialisers`);
  return { tensors: Object.fromEntries(tensors), under: [], others: [] };
}

/**
 * Reads the elements of an ONNX tensor.
 *
 * @throws CheckpointError if its type is unsupported, it does not match its shape, or its elements are in
 * another file
 */
export function readOnnxTensor(tensor: OnnxTensor, source: string): StoredTensor {
  const what = `${source}: tensor ${tensor.name}`;
  if (tensor.dataLocation === 1 || tensor.externalData.length > 0) {
    throw new CheckpointError(`${what} is in a separate file, which is not read`, {
      hint: "Save the model as one file: onnx.save(model, path, save_as_external_data=False).",
    });
  }
  const code = CODES[tensor.dataType];
  if (code === undefined)
    throw new CheckpointError(`${what} is of type ${tensor.dataType}, which is not read`);
  const shape = tensor.dims.map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  const { bytesPerElement, read } = ELEMENT_READERS.get(code)!;
  const raw = tensor.rawData.length > 0 ? new Uint8Array(tensor.rawData) : typedBytes(tensor, code);
  if (raw.length !== count * bytesPerElement) {
    throw new CheckpointError(
      `${what} of shape ${formatShape(shape)} has ${raw.length} bytes, expected ${count * bytesPerElement}`,
      { hint: "The file is damaged; get it again." },
    );
  }
  return { shape, ...read(raw.buffer) };
}

/** Elements that are not stored as bytes. Types of less than 4 bytes are stored as integers. */
function typedBytes({ floatData, doubleData, int32Data, int64Data }: OnnxTensor, code: string) {
  const typed = {
    F32: () => Float32Array.from(floatData),
    F64: () => Float64Array.from(doubleData),
    I64: () => BigInt64Array.from(int64Data),
    I32: () => Int32Array.from(int32Data),
    F16: () => Uint16Array.from(int32Data),
    BF16: () => Uint16Array.from(int32Data),
    U8: () => Uint8Array.from(int32Data),
    BOOL: () => Uint8Array.from(int32Data),
  }[code]!();
  return new Uint8Array(typed.buffer as ArrayBuffer);
}
