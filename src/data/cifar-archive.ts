/** CIFAR-10 as published: a .tar.gz of Python pickles or of binary records. */

import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { pipeline, Readable, Transform } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { createGunzip } from "node:zlib";
import { createTarDecoder } from "modern-tar";
import { DataError } from "../errors/index.js";
import type { DatasetPair, MemoryDataset } from "./dataset.js";
import { type PickleObject, readPickle } from "./pickle.js";
import { NdArray, pickleText } from "./pickle-numpy.js";

const SIDE = 32;
const PIXELS = 3 * SIDE * SIDE;
/**
 * Members larger than this are rejected. A batch of the published archives has 31 MB, and all batches
 * together 186 MB.
 */
const MEMBER_LIMIT = 64 * 2 ** 20;
const UNPACKED_LIMIT = 256 * 2 ** 20;
const TRAIN_BATCHES = [1, 2, 3, 4, 5].map((n) => `data_batch_${n}`);
const MEMBER = /^(data_batch_[1-5]|test_batch)(\.bin)?$|^batches\.meta(\.txt)?$/;

const HINT =
  "Delete the file and get cifar-10-python.tar.gz or cifar-10-binary.tar.gz again from https://www.cs.toronto.edu/~kriz/cifar.html.";

/** Notes on archives that differ from the published ones, by md5. */
export const CIFAR_NOTES: ReadonlyMap<string, string> = new Map([
  [
    "8a10b6fc3625440283b51baea900c073",
    "the pixels come from JPEG copies (quality 75, 4:2:0) of the published images; their order and file names differ",
  ],
]);

interface Batch {
  readonly images: Uint8Array;
  readonly labels: ArrayLike<number>;
}

/**
 * Reads a CIFAR-10 archive in the Python or the binary format, which is detected from its members.
 *
 * The archive is unpacked as a stream and never written to disk. Its md5 is the fingerprint of the pair.
 *
 * @throws DataError naming the file, if it is damaged, truncated or holds something else
 */
export async function readCifarArchive(path: string): Promise<DatasetPair<MemoryDataset>> {
  const hash = createHash("md5");
  const members = await readMembers(path, hash).catch((cause: unknown) => {
    throw cause instanceof DataError ? inArchive(path, cause) : unpackingError(path, cause);
  });
  try {
    const halves = members.has("test_batch.bin") ? fromBinary(members) : fromPickles(members);
    const fingerprint = hash.digest("hex");
    const note = CIFAR_NOTES.get(fingerprint);
    return { name: "cifar10", ...halves, fingerprint, ...(note === undefined ? {} : { note }) };
  } catch (cause) {
    throw cause instanceof DataError ? inArchive(path, cause) : cause;
  }
}

function inArchive(path: string, cause: DataError): DataError {
  return new DataError(`${path}: ${cause.message}`, { hint: cause.hint ?? HINT, cause });
}

function unpackingError(path: string, cause: unknown): DataError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT") return new DataError(`${path}: no such file`, { hint: "Check the path.", cause });
  const reason =
    code === "Z_BUF_ERROR" ? "the archive is cut short" : `the archive cannot be unpacked (${message})`;
  return new DataError(`${path}: ${reason}`, { hint: HINT, cause });
}

async function readMembers(path: string, hash: Hash): Promise<Map<string, Uint8Array>> {
  const gunzip = createGunzip({ chunkSize: 2 ** 22 });
  const file = createReadStream(path, { highWaterMark: 2 ** 20 });
  file.on("data", (chunk) => hash.update(chunk));
  const unpacked = boundedBy(UNPACKED_LIMIT);
  // The error also destroys `unpacked`; its reader below reports it.
  pipeline(file, gunzip, unpacked, () => {});
  const bytes = Readable.toWeb(unpacked) as NodeReadableStream<Uint8Array>;
  const entries = (bytes as unknown as ReadableStream<Uint8Array>).pipeThrough(
    createTarDecoder({ strict: true }),
  );
  const members = new Map<string, Uint8Array>();
  for await (const { header, body } of entries as unknown as AsyncIterable<TarMember>) {
    const name = basename(header.name);
    if (MEMBER.test(name)) members.set(name, await readBody(name, header.size, body));
    else await body.cancel();
  }
  return members;
}

/** Passes bytes on, and fails beyond a limit, as a small archive can unpack to any size. */
function boundedBy(limit: number): Transform {
  let total = 0;
  return new Transform({
    highWaterMark: 2 ** 22,
    transform(chunk: Uint8Array, _encoding, done) {
      total += chunk.length;
      if (total <= limit) return done(null, chunk);
      done(new DataError(`it unpacks to more than ${limit} bytes, which no CIFAR-10 archive has`));
    },
  });
}

interface TarMember {
  readonly header: { readonly name: string; readonly size: number };
  readonly body: ReadableStream<Uint8Array>;
}

async function readBody(name: string, size: number, body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  if (size > MEMBER_LIMIT) throw new DataError(`${name} claims ${size} bytes, far more than a batch has`);
  const content = new Uint8Array(size);
  let at = 0;
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    content.set(chunk, at);
    at += chunk.length;
  }
  if (at !== size) throw new DataError(`${name} is cut short: ${at} of ${size} bytes`);
  return content;
}

type Halves = Pick<DatasetPair<MemoryDataset>, "train" | "test">;

function fromPickles(members: ReadonlyMap<string, Uint8Array>): Halves {
  const meta = dictionary(members, "batches.meta");
  const classes = meta.get("label_names");
  const count = meta.get("num_cases_per_batch");
  if (!Array.isArray(classes)) throw new DataError("batches.meta has no label_names");
  const names = classes.map((name) => pickleText(name));
  const read = (name: string) => pickledBatch(name, dictionary(members, name));
  return assemble(names, read, "", typeof count === "number" ? count : undefined);
}

function fromBinary(members: ReadonlyMap<string, Uint8Array>): Halves {
  const text = Buffer.from(member(members, "batches.meta.txt")).toString("utf8");
  const names = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  return assemble(names, (name) => binaryBatch(name, member(members, name)), ".bin");
}

function member(members: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const content = members.get(name);
  if (content === undefined) throw new DataError(`${name} is missing, so this is no whole CIFAR-10 archive`);
  return content;
}

function dictionary(members: ReadonlyMap<string, Uint8Array>, name: string): Map<string, PickleObject> {
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
