/**
 * The safetensors format, as pure functions on bytes for Node and browsers, which are little-endian
 * everywhere.
 */
import { CheckpointError } from "../errors/index.js";
import { formatShape } from "../util/shape.js";
import { DTYPE_CODES, type StoredTensor } from "./safetensors-dtypes.js";
import { elementCount, encodeHeader, METADATA_KEY, readHeader } from "./safetensors-header.js";

/** Content of a safetensors file. */
export interface SafetensorsContent {
  /** Tensors by name, in the order of the header. */
  readonly tensors: Record<string, StoredTensor>;
  /** Text entries. Empty if the file has none. */
  readonly metadata: Record<string, string>;
}

/**
 * Encodes tensors as the chunks of a safetensors file, in order. Chunks share memory with `tensors` to avoid
 * copying a large state, so write them before the state changes.
 *
 * The header keeps the order of `tensors`. The data is sorted from the widest to the narrowest dtype, which
 * aligns each tensor to its element size.
 *
 * @param metadata text entries. Defaults to none
 * @throws CheckpointError if a tensor's data does not match its shape, or its name is reserved
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const named = Object.entries(tensors);
  for (const [name, tensor] of named) assertEncodable(name, tensor);
  const layout = named.toSorted(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const offsets = new Map<string, readonly [number, number]>();
  let end = 0;
  for (const [name, { data }] of layout) {
    const begin = end;
    end += data.byteLength;
    offsets.set(name, [begin, end]);
  }
  const entries = named.map(([name, { dtype, shape }]): [string, unknown] => [
    name,
    { dtype: DTYPE_CODES[dtype], shape, data_offsets: offsets.get(name) },
  ]);
  if (Object.keys(metadata).length > 0) entries.unshift([METADATA_KEY, metadata]);
  return [encodeHeader(Object.fromEntries(entries)), ...layout.map(([, { data }]) => bytesOf(data))];
}

/**
 * Decodes a safetensors file. F32, I32, I64, U8 and BOOL are read as they are; F64, F16 and BF16 become
 * float32. The tensors own their memory.
 *
 * @param source name of the file in errors, usually its path
 * @throws CheckpointError naming the file and the tensor, if the file is truncated, its header is invalid, or
 * its tensors overlap, leave gaps or do not match their shapes
 */
export function decodeSafetensors(bytes: Uint8Array, source: string): SafetensorsContent {
  const { entries, metadata, dataStart } = readHeader(bytes, source);
  const tensors = entries.map(({ name, shape, begin, end, reader }): [string, StoredTensor] => {
    const elements = new Uint8Array(bytes.subarray(dataStart + begin, dataStart + end));
    return [name, { shape, ...reader.read(elements.buffer) }];
  });
  return { tensors: Object.fromEntries(tensors), metadata };
}

function assertEncodable(name: string, { shape, data }: StoredTensor): void {
  if (name === METADATA_KEY) throw new CheckpointError(`no tensor can be named ${METADATA_KEY}`);
  if (data.length === elementCount(shape)) return;
  throw new CheckpointError(
    `tensor ${name}: shape ${formatShape(shape)} needs ${elementCount(shape)} elements, received ${data.length}`,
  );
}

function bytesOf(data: StoredTensor["data"]): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
