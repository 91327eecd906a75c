/** What is in a CIFAR-10 archive, once it is unpacked: for node and browser. */

import { createTarDecoder } from "modern-tar";
import { DataError } from "../errors/index.js";
import type { DatasetPair, MemoryDataset } from "./dataset.js";
import { type PickleObject, readPickle } from "./pickle.js";
import { NdArray, pickleText } from "./pickle-numpy.js";

const SIDE = 32;
const PIXELS = 3 * SIDE * SIDE;
/** A batch of the published archives has 31 MB. */
const MEMBER_LIMIT = 64 * 2 ** 20;
/** All of them together have 186 MB. */
const UNPACKED_LIMIT = 256 * 2 ** 20;
const TRAIN_BATCHES = [1, 2, 3, 4, 5].map((n) => `data_batch_${n}`);
const MEMBER = /^(data_batch_[1-5]|test_batch)(\.bin)?$|^batches\.meta(\.txt)?$/;

export const CIFAR_HINT =
  "Delete the file and get cifar-10-python.tar.gz or cifar-10-binary.tar.gz again from https://www.cs.toronto.edu/~kriz/cifar.html.";

/** What is to be said of archives that are not as published, by md5. */
export const CIFAR_NOTES: ReadonlyMap<string, string> = new Map([
  [
    "8a10b6fc3625440283b51baea900c073",
    "The pixels come from JPEG copies (quality 75, 4:2:0) of the published images; their order and file names differ.",
  ],
]);

interface Batch {
  readonly images: Uint8Array;
  readonly labels: ArrayLike<number>;
}

/** Files of an archive that are read, by name. */
export type CifarMembers = ReadonlyMap<string, Uint8Array>;

/**
 * Reads the files of an archive.
 *
 * @param unpacked the bytes of the .tar
 * @throws DataError where there are more of them than such an archive has, or a file is cut short
 */
export async function readCifarMembers(unpacked: ReadableStream<Uint8Array>): Promise<CifarMembers> {
  const entries = unpacked
    .pipeThrough(atMost(UNPACKED_LIMIT))
    .pipeThrough(createTarDecoder({ strict: true }));
  const members = new Map<string, Uint8Array>();
  for await (const { header, body } of partsOf(entries as ReadableStream<TarMember>)) {
    const name = header.name.slice(header.name.lastIndexOf("/") + 1);
    if (MEMBER.test(name)) members.set(name, await readBody(name, header.size, body));
    else await body.cancel();
  }
  return members;
}

/**
 * The data set that an archive holds, in the Python or in the binary format, which its files tell apart.
 *
 * @param fingerprint md5 of the archive
 * @throws DataError where a file is missing or is not what it should be
 */
export function cifarPair(members: CifarMembers, fingerprint: string): DatasetPair<MemoryDataset> {
  const halves = members.has("test_batch.bin") ? fromBinary(members) : fromPickles(members);
  const note = CIFAR_NOTES.get(fingerprint);
  return { name: "cifar10", ...halves, fingerprint, ...(note === undefined ? {} : { note }) };
}

/** Passes bytes on, and fails where there are more: a small archive may unpack to any size. */
function atMost(limit: number): TransformStream<Uint8Array, Uint8Array> {
  let total = 0;
  return new TransformStream({
    transform(chunk, controller) {
      total += chunk.length;
      if (total > limit) {
        throw new DataError(`it unpacks to more than ${limit} bytes, which no CIFAR-10 archive has`);
      }
      controller.enqueue(chunk);
    },
  });
}

/** Not every browser iterates over streams itself. */
async function* partsOf<T>(stream: ReadableStream<T>): AsyncGenerator<T> {
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
}

interface TarMember {
  readonly header: { readonly name: string; readonly size: number };
  readonly body: ReadableStream<Uint8Array>;
}

async function readBody(name: string, size: number, body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  if (size > MEMBER_LIMIT) throw new DataError(`${name} claims ${size} bytes, far more than a batch has`);
  const content = new Uint8Array(size);
  let at = 0;
  for await (const chunk of partsOf(body)) {
    content.set(chunk, at);
    at += chunk.length;
  }
  if (at !== size) throw new DataError(`${name} is cut short: ${at} of ${size} bytes`);
  return content;
}

type Halves = Pick<DatasetPair<MemoryDataset>, "train" | "test">;

function fromPickles(members: CifarMembers): Halves {
  const meta = dictionary(members, "batches.meta");
  const classes = meta.get("label_names");
  const count = meta.get("num_cases_per_batch");
  if (!Array.isArray(classes)) throw new DataError("batches.meta has no label_names");
  const names = classes.map((name) => pickleText(name));
  const read = (name: string) => pickledBatch(name, dictionary(members, name));
  return assemble(names, read, "", typeof count === "number" ? count : undefined);
}

function fromBinary(members: CifarMembers): Halves {
  const text = new TextDecoder().decode(member(members, "batches.meta.txt"));
  const names = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  return assemble(names, (name) => binaryBatch(name, member(members, name)), ".bin");
}

function member(members: CifarMembers, name: string): Uint8Array {
  const content = members.get(name);
  if (content === undefined) throw new DataError(`${name} is missing, so this is no whole CIFAR-10 archive`);
  return content;
}

function dictionary(members: CifarMembers, name: string): Map<string, PickleObject> {
  const value = readPickle(member(members, name), name);
  if (value instanceof Map) return value;
  throw new DataError(`${name} holds no dictionary`);
}

function pickledBatch(name: string, content: ReadonlyMap<string, PickleObject>): Batch {
  const array = content.get("data");
  const labels = content.get("labels");
  if (!(array instanceof NdArray) || array.shape.length !== 2 || array.shape[1] !== PIXELS) {
    throw new DataError(`${name}: expected data of shape [images, ${PIXELS}]`);
  }
  if (!Array.isArray(labels) || labels.length !== array.shape[0]) {
    throw new DataError(`${name}: expected one label for each of ${array.shape[0]} images`);
  }
  return {
    images: array.data,
    labels: labels.map((label) => (typeof label === "number" ? label : Number.NaN)),
  };
}

function binaryBatch(name: string, content: Uint8Array): Batch {
  const record = 1 + PIXELS;
  if (content.length % record !== 0) {
    throw new DataError(`${name}: ${content.length} bytes are no whole number of records of ${record} bytes`);
  }
  const count = content.length / record;
  const images = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = content[i * record]!;
    images.set(content.subarray(i * record + 1, (i + 1) * record), i * PIXELS);
  }
  return { images, labels };
}

function assemble(classes: string[], read: (name: string) => Batch, suffix: string, count?: number): Halves {
  if (classes.length === 0) throw new DataError("the archive names no classes");
  let expected = count;
  const load = (name: string): Batch => {
    const batch = read(name + suffix);
    expected ??= batch.labels.length;
    checkBatch(
      name + suffix,
      batch,
      classes.length,
      name === "test_batch" && count === undefined ? undefined : expected,
    );
    return batch;
  };
  const train = TRAIN_BATCHES.map(load);
  return { train: dataset("train", classes, train), test: dataset("test", classes, [load("test_batch")]) };
}

function checkBatch(name: string, { labels }: Batch, classes: number, expected: number | undefined): void {
  if (labels.length === 0) throw new DataError(`${name} has no images`);
  if (expected !== undefined && labels.length !== expected) {
    throw new DataError(`${name} has ${labels.length} images, expected ${expected}`);
  }
  const bad = Array.from(labels).findIndex((n) => !Number.isInteger(n) || n < 0 || n >= classes);
  if (bad >= 0) {
    throw new DataError(`${name}: label ${labels[bad]} of image ${bad} is none of the ${classes} classes`);
  }
}

function dataset(part: string, classes: readonly string[], batches: readonly Batch[]): MemoryDataset {
  const length = batches.reduce((sum, batch) => sum + batch.labels.length, 0);
  const images = new Uint8Array(length * PIXELS);
  const labels = new Int32Array(length);
  let at = 0;
  for (const batch of batches) {
    images.set(batch.images, at * PIXELS);
    labels.set(batch.labels, at);
    at += batch.labels.length;
  }
  return { name: `cifar10 ${part}`, classes, length, height: SIDE, width: SIDE, images, labels };
}
