import { readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { crc32c, maskedCrc32c } from "../../src/files/crc32c.js";
import { EventWriter } from "../../src/files/index.js";
import { temporaryFolder } from "./folder.js";

describe("crc32c", () => {
  // RFC 3720, B.4, besides the usual check value.
  test.each([
    ["123456789", new TextEncoder().encode("123456789"), 0xe3069283],
    ["zeros", new Uint8Array(32), 0x8a9136aa],
    ["ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["ascending", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["nothing", new Uint8Array(0), 0],
  ])("of %s", (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  test("masked, undone as LevelDB does, is the checksum", () => {
    const bytes = new TextEncoder().encode("foo");
    const rotated = (maskedCrc32c(bytes) - 0xa282ead8) >>> 0;
    expect(((rotated >>> 17) | (rotated << 15)) >>> 0).toBe(crc32c(bytes));
  });
});

/** The messages of a record file, after checking every checksum. */
function readRecords(file: Buffer): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUint64LE(at));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(file.readUint32LE(at + 8)).toBe(maskedCrc32c(file.subarray(at, at + 8)));
    expect(file.readUint32LE(at + 12 + length)).toBe(maskedCrc32c(data));
    records.push(data);
    at += length + 16;
  }
  return records;
}

/** The fields of a message by number; a repeated field is given as a list. */
function readFields(message: Uint8Array, floats: readonly number[] = []): Map<number, unknown[]> {
  const reader = new BinaryReader(message);
  const fields = new Map<number, unknown[]>();
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const value = floats.includes(field)
      ? reader.float()
      : wireType === 1
        ? reader.double()
        : wireType === 0
          ? Number(reader.int64())
          : reader.bytes();
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

const text = (bytes: unknown) => Buffer.from(bytes as Uint8Array).toString();

/** Wall time, step and scalars of a scalar event. */
function readScalars(record: Uint8Array) {
  const event = readFields(record);
  const values = readFields(event.get(5)![0] as Uint8Array).get(1)!;
  const scalars = values.map((value) => {
    const fields = readFields(value as Uint8Array, [2]);
    return [text(fields.get(1)![0]), fields.get(2)![0]];
  });
  return { wallTime: event.get(1)![0], step: event.get(2)![0], scalars: Object.fromEntries(scalars) };
}

describe("EventWriter", () => {
  const options = { host: "laptop", now: () => 1_700_000_000_500 };

  test("begins with the file version and names the file as TensorBoard expects", async () => {
    const events = await EventWriter.open(join(await temporaryFolder(), "new"), options);
    const [version, ...others] = readRecords(await readFile(events.path));
    events.close();
    expect(basename(events.path)).toBe("events.out.tfevents.1700000000.laptop");
    expect(text(readFields(version!).get(3)![0])).toBe("brain.Event:2");
    expect(others).toEqual([]);
  });

  test("writes scalars at once, with step and wall time", async () => {
    const events = await EventWriter.open(await temporaryFolder(), options);
    events.add({ "train/loss": 1.5, "train/lr": 0.25 }, 10);
    expect(readRecords(await readFile(events.path))).toHaveLength(2);
    events.add({ "val/acc1": Number.NaN, huge: 1e300 }, 3_000_000_000);
    events.close();
    const [, first, second] = readRecords(await readFile(events.path));
    const wallTime = 1_700_000_000.5;
    expect(readScalars(first!)).toEqual({
      wallTime,
      step: 10,
      scalars: { "train/loss": 1.5, "train/lr": 0.25 },
    });
    expect(readScalars(second!)).toEqual({
      wallTime,
      step: 3_000_000_000,
      scalars: { "val/acc1": Number.NaN, huge: Number.POSITIVE_INFINITY },
    });
  });
});

describe("an event file that is continued", () => {
  const clock = (seconds: number) => ({ host: "laptop", now: () => seconds * 1000 });
  const loss = (step: number) => ({ step, scalars: { "train/loss": step / 10 } });

  /** Steps and wall times of every event in a folder, in TensorBoard's order of files. */
  async function readFolder(folder: string) {
    const names = (await readdir(folder)).toSorted();
    const files = await Promise.all(names.map((name) => readFile(join(folder, name))));
    const events = files.flatMap((file) => readRecords(file).slice(1).map(readScalars));
    return { names, events: events.map(({ step, wallTime }) => [step, wallTime]) };
  }

  async function begin(seconds: number, steps: readonly number[]) {
    const folder = await temporaryFolder();
    const events = await EventWriter.open(folder, clock(seconds));
    for (const step of steps) events.add(loss(step).scalars, step);
    return { folder, path: events.path };
  }

  test("has no step twice, and keeps its order when the clock was set back", async () => {
    const { folder, path } = await begin(100, [10, 20, 30]);
    const inode = (await stat(path)).ino;
    const events = await EventWriter.open(folder, { ...clock(50), keep: [loss(10), loss(20)] });
    events.add(loss(30).scalars, 30);
    const expected = [
      [10, 100],
      [20, 100],
      [30, 50],
    ];
    expect(await readFolder(folder)).toEqual({ names: [basename(path)], events: expected });
    expect((await stat(path)).ino, "an open reader sees it grow").toBe(inode);
  });

  test("gains what it lacks, at the time of what comes before", async () => {
    const { folder } = await begin(100, [10, 30]);
    await EventWriter.open(folder, { ...clock(200), keep: [loss(10), loss(20), loss(30)] });
    expect((await readFolder(folder)).events).toEqual([
      [10, 100],
      [20, 100],
      [30, 100],
    ]);
  });

  test("takes the place of several, and of one that is damaged", async () => {
    const { folder, path } = await begin(100, [10]);
    await writeFile(join(folder, "events.out.tfevents.099.laptop"), "no events");
    await EventWriter.open(folder, { ...clock(200), keep: [loss(10)] });
    expect(await readFolder(folder)).toEqual({ names: [basename(path)], events: [[10, 100]] });

    await truncate(path, 20);
    await EventWriter.open(folder, { ...clock(200), keep: [loss(10)] });
    expect((await readFolder(folder)).events).toEqual([[10, 200]]);
  });
});
