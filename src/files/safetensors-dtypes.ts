/** The array type for the elements of each dtype. A bool is one byte, 0 or 1. */
export interface ElementArrays {
  float32: Float32Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

/** A dtype that can be written to safetensors files, and into which they are read. */
export type StoredDType = keyof ElementArrays;

/** A tensor as stored in a file: row-major elements, as many as the product of `shape`. */
export type StoredTensor = {
  [D in StoredDType]: {
    readonly dtype: D;
    readonly shape: readonly number[];
    readonly data: ElementArrays[D];
  };
}[StoredDType];

/** Elements without a shape. */
export type Elements = StoredTensor extends infer T
  ? T extends StoredTensor
    ? Pick<T, "dtype" | "data">
    : never
  : never;

/** Code of each dtype in a header. */
export const DTYPE_CODES: Readonly<Record<StoredDType, string>> = {
  float32: "F32",
  int32: "I32",
  int64: "I64",
  uint8: "U8",
  bool: "BOOL",
};

/** How elements with one code are read. */
export interface ElementReader {
  readonly bytesPerElement: number;
  /** Reads elements from a buffer that holds nothing else. */
  readonly read: (buffer: ArrayBuffer) => Elements;
}

/** Every code that can be read. Floats of other widths become float32. */
export const ELEMENT_READERS: ReadonlyMap<string, ElementReader> = new Map<string, ElementReader>([
  ["F32", { bytesPerElement: 4, read: (buffer) => ({ dtype: "float32", data: new Float32Array(buffer) }) }],
  ["I32", { bytesPerElement: 4, read: (buffer) => ({ dtype: "int32", data: new Int32Array(buffer) }) }],
  ["I64", { bytesPerElement: 8, read: (buffer) => ({ dtype: "int64", data: new BigInt64Array(buffer) }) }],
  ["U8", { bytesPerElement: 1, read: (buffer) => ({ dtype: "uint8", data: new Uint8Array(buffer) }) }],
  ["BOOL", { bytesPerElement: 1, read: (buffer) => ({ dtype: "bool", data: new Uint8Array(buffer) }) }],
  ["F64", { bytesPerElement: 8, read: (buffer) => float32From(new Float64Array(buffer), (value) => value) }],
  ["F16", { bytesPerElement: 2, read: (buffer) => float32From(new Uint16Array(buffer), fromFloat16) }],
  ["BF16", { bytesPerElement: 2, read: (buffer) => float32From(new Uint16Array(buffer), fromBfloat16) }],
]);

function float32From(source: Float64Array | Uint16Array, convert: (value: number) => number): Elements {
  return { dtype: "float32", data: Float32Array.from(source, convert) };
}

function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (0x400 + fraction) * 2 ** (exponent - 25);
}

const word = new Uint32Array(1);
const wordAsFloat = new Float32Array(word.buffer);

function fromBfloat16(bits: number): number {
  word[0] = bits << 16;
  return wordAsFloat[0]!;
}
