/**
 * The header of a safetensors file: its length in eight bytes (little-endian), then JSON padded with spaces.
 */
import { CheckpointError } from "../errors/index.js";
import { formatShape } from "../util/shape.js";
import { ELEMENT_READERS, type ElementReader } from "./safetensors-dtypes.js";

/** The header's key for metadata, which no tensor may have. */
export const METADATA_KEY = "__metadata__";

const LENGTH_BYTES = 8;
/** Limit of the reference reader. A longer header means that the file has another format. */
const MAX_HEADER_BYTES = 100_000_000;

/** Location of a tensor's elements, and how to read them. */
interface TensorEntry {
  readonly name: string;
  readonly shape: readonly number[];
  /** Offsets of the first byte and of the byte after the last, from the end of the header. */
  readonly begin: number;
  readonly end: number;
  readonly reader: ElementReader;
}

/** A validated header. */
export interface Header {
  /** In file order. */
  readonly entries: readonly TensorEntry[];
  readonly metadata: Record<string, string>;
  /** Offset of the data in the file. */
  readonly dataStart: number;
}

/** Number of elements of a shape. 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Encodes the bytes before the data, a multiple of eight. */
export function encodeHeader(header: Readonly<Record<string, unknown>>): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, LENGTH_BYTES);
  return bytes;
}

/**
 * Reads and validates the header of a whole file.
 *
 * @throws CheckpointError naming `source`, if anything is wrong
 */
export function readHeader(bytes: Uint8Array, source: string): Header {
  const dataStart = LENGTH_BYTES + headerLength(bytes, source);
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, dataStart), source);
  const { [METADATA_KEY]: metadata = {}, ...described } = header;
  if (!isTextRecord(metadata)) throw damaged(source, `its ${METADATA_KEY} is not a record of texts`);
  const entries = Object.entries(described).map(([name, entry]) => readEntry(name, entry, source));
  assertContiguous(entries, bytes.length - dataStart, source);
  return { entries, metadata, dataStart };
}

function headerLength(bytes: Uint8Array, source: string): number {
  if (bytes.length < LENGTH_BYTES)
    throw damaged(source, `it has ${bytes.length} bytes, fewer than a header needs`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) {
    throw new CheckpointError(`${source}: not a safetensors file`, {
      hint: "Its first eight bytes are not a header length; check that the path is a .safetensors file.",
    });
  }
  const available = bytes.length - LENGTH_BYTES;
  if (length > available)
    throw damaged(source, `its header needs ${length} bytes and ${available} are there`);
  return length;
}

function parseHeader(json: Uint8Array, source: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (cause) {
    throw damaged(source, "its header is not JSON", cause);
  }
  if (!isRecord(header)) throw damaged(source, "its header is not a JSON object");
  return header;
}

/** Validates one entry of the header on its own. */
function readEntry(name: string, entry: unknown, source: string): TensorEntry {
  const fault = (what: string) => damaged(source, `tensor ${name} ${what}`);
  if (!isRecord(entry)) throw fault("is not described by an object");
  const { dtype, shape, data_offsets: offsets } = entry;
  const reader = ELEMENT_READERS.get(String(dtype));
  if (reader === undefined) {
    throw new CheckpointError(`${source}: tensor ${name} has dtype ${dtype}, which is not supported`, {
      hint: `Convert it to one of ${[...ELEMENT_READERS.keys()].join(", ")}.`,
    });
  }
  if (!isSizes(shape)) throw fault("has no valid shape");
  if (!isSizes(offsets) || offsets.length !== 2) throw fault("has no valid data_offsets");
  const [begin, end] = offsets as [number, number];
  const expected = elementCount(shape) * reader.bytesPerElement;
  if (end - begin !== expected) {
    throw fault(
      `of shape ${formatShape(shape)} and dtype ${dtype} needs ${expected} bytes and has ${end - begin}`,
    );
  }
  return { name, shape, begin, end, reader };
}

/** Tensors must cover the data without gaps or overlaps, as the reference reader requires. */
function assertContiguous(tensors: readonly TensorEntry[], available: number, source: string): void {
  let filled = 0;
  for (const { name, begin, end } of tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < filled) throw damaged(source, `tensor ${name} overlaps another`);
    if (begin > filled)
      throw damaged(source, `${begin - filled} bytes before tensor ${name} belong to no tensor`);
    if (end > available)
      throw damaged(source, `tensor ${name} ends at byte ${end} of ${available}; the file is truncated`);
    filled = end;
  }
  if (filled !== available)
    throw damaged(source, `${available - filled} bytes at the end belong to no tensor`);
}

function damaged(source: string, what: string, cause?: unknown): CheckpointError {
  return new CheckpointError(`${source}: ${what}`, {
    hint: "The file is damaged or incomplete; use another copy or checkpoint.",
    cause,
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTextRecord(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((text) => typeof text === "string");
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
