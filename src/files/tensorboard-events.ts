/** TensorBoard's event records: `Event` messages of tensorflow/core/util/event.proto, framed as TFRecords. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
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

/** The record that every event file begins with. */
export function encodeFileVersion(wallTime: number): Uint8Array {
  const event = new BinaryWriter();
  event.tag(EVENT.wallTime, WireType.Bit64).double(wallTime);
  event.tag(EVENT.fileVersion, WireType.LengthDelimited).string("brain.Event:2");
  return frameRecord(event.finish());
}

/** One record with all scalars of a step. */
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
