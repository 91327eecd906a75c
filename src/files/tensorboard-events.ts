/** TensorBoard's event records: `Event` messages of tensorflow/core/util/event.proto, framed as TFRecords. */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { maskedCrc32c } from "./crc32c.js";

/** Scalars of one step. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  /** Values by tag, such as `{ "train/loss": 1.9 }`. */
  readonly scalars: Readonly<Record<string, number>>;
}

const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 };
const SUMMARY = { value: 1 };
const VALUE = { tag: 1, simpleValue: 2 };

/** Encodes the record that every event file starts with. */
export function encodeFileVersion(wallTime: number): Uint8Array {
  const event = new BinaryWriter();
  event.tag(EVENT.wallTime, WireType.Bit64).double(wallTime);
  event.tag(EVENT.fileVersion, WireType.LengthDelimited).string("brain.Event:2");
  return frameRecord(event.finish());
}

/** Encodes all scalars of a step as one record. */
export function encodeScalars({ wallTime, step, scalars }: ScalarEvent): Uint8Array {
  const event = new BinaryWriter();
  event.tag(EVENT.wallTime, WireType.Bit64).double(wallTime);
  event.tag(EVENT.step, WireType.Varint).int64(step);
  event.tag(EVENT.summary, WireType.LengthDelimited).fork();
  for (const [tag, value] of Object.entries(scalars)) {
    event.tag(SUMMARY.value, WireType.LengthDelimited).fork();
    event.tag(VALUE.tag, WireType.LengthDelimited).string(tag);
    event.tag(VALUE.simpleValue, WireType.Bit32).float(Math.fround(value));
    event.join();
  }
  event.join();
  return frameRecord(event.finish());
}

/** Length, its checksum, data, its checksum; numbers little-endian. */
function frameRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return record;
}

/** Scalars of one step, as stored in a file. */
export interface StoredScalars {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  readonly tags: readonly string[];
  /** Offset of the byte after the record. */
  readonly end: number;
}

/** The intact part of an event file, up to the first damaged or truncated record. */
export interface StoredEvents {
  /** Offset of the byte after the file version record. 0 if that is missing. */
  readonly start: number;
  readonly events: readonly StoredScalars[];
}

/** Reads the scalars of an event file. */
export function readScalars(file: Buffer): StoredEvents {
  const events: StoredScalars[] = [];
  let start = 0;
  for (const { data, end } of intactRecords(file)) {
    if (start === 0) start = end;
    else events.push({ ...decodeScalars(data), end });
  }
  return { start, events };
}

function* intactRecords(file: Buffer): Generator<{ readonly data: Uint8Array; readonly end: number }> {
  for (let at = 0; at + 16 <= file.length; ) {
    const length = file.readBigUInt64LE(at);
    const end = at + Number(length) + 16;
    if (end > file.length || file.readUInt32LE(at + 8) !== maskedCrc32c(file.subarray(at, at + 8))) return;
    const data = file.subarray(at + 12, end - 4);
    if (file.readUInt32LE(end - 4) !== maskedCrc32c(data)) return;
    yield { data, end };
    at = end;
  }
}

function decodeScalars(data: Uint8Array): Omit<StoredScalars, "end"> {
  const event = { wallTime: 0, step: 0, tags: [] as string[] };
  readFields(data, (field, type, reader) => {
    if (field === EVENT.wallTime) event.wallTime = reader.double();
    else if (field === EVENT.step) event.step = Number(reader.int64());
    else if (field === EVENT.summary) event.tags.push(...decodeTags(reader.bytes()));
    else reader.skip(type, field);
  });
  return event;
}

function decodeTags(summary: Uint8Array): string[] {
  const tags: string[] = [];
  readFields(summary, (_, __, value) =>
    readFields(value.bytes(), (field, type, reader) => {
      if (field === VALUE.tag) tags.push(reader.string());
      else reader.skip(type, field);
    }),
  );
  return tags;
}

/** Calls back at each field of a message, whose value must then be read or skipped. */
function readFields(
  message: Uint8Array,
  read: (field: number, type: WireType, reader: BinaryReader) => void,
): void {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    read(field, type, reader);
  }
}
