import { readFile } from "node:fs/promises";
import { type PickleObject, readPickle, readPickles, refusing, UnsupportedPickle } from "../data/index.js";
import { CheckpointError } from "../errors/index.js";
import { ELEMENT_READERS, fileError, type StoredTensor } from "../files/index.js";
import { findTensors } from "./checkpoint-tensors.js";
import { StridedReader } from "./strided.js";
import { TORCH_HINT, TorchTensor, torchRules } from "./torch-pickle.js";
import type { DecodedWeights } from "./weights-file.js";
import { zipEntries } from "./zip-entries.js";

/**
 * A pickle of 0x1950a86a20f9469cfc6c, which files of PyTorch before 1.6, and of its legacy option, start
 * with.
 */
const LEGACY_MAGIC = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/** Whether bytes start like those of `torch.save` before PyTorch 1.6. */
export function isLegacyTorch(bytes: Uint8Array): boolean {
  return LEGACY_MAGIC.every((byte, i) => bytes[i] === byte);
}

/**
 * Reads the tensors of a PyTorch file (see {@link decodeTorch}).
 *
 * @throws DyconvError if the file cannot be read, and everything that `decodeTorch` throws
 */
export async function readTorch(path: string): Promise<Record<string, StoredTensor>> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw fileError("read", path, cause);
  });
  return decodeTorch(bytes, path);
}

/**
 * Reads the tensors of a file written by `torch.save`, of any version since 0.1.10: a state dictionary, or a
 * checkpoint that has one under `state_dict`, `model` or another usual key. Nothing in the file is executed.
 * float64, float16 and bfloat16 become float32.
 *
 * @param source named in errors, usually the path
 * @throws CheckpointError if the file is damaged or holds no tensors, DataError if its pickle asks for
 * anything but tensors
 */
export function decodeTorch(bytes: Uint8Array, source: string): Record<string, StoredTensor> {
  return decodeTorchFile(bytes, source).tensors;
}

/** {@link decodeTorch}, with notes on where the tensors were found. */
export function decodeTorchFile(bytes: Uint8Array, source: string): DecodedWeights {
  const content = isLegacyTorch(bytes) ? readLegacy(bytes, source) : readArchive(bytes, source);
  const { tensors, under, others } = findTensors(content, source, (value) => value instanceof TorchTensor);
  const reader = new StridedReader(bytes.length);
  const decoded = refusing(source, { hint: TORCH_HINT }, () =>
    tensors.map(([name, { storage, ...view }]): [string, StoredTensor] => {
      if (storage.bytes === undefined)
        throw new UnsupportedPickle(`asks for storage ${storage.key}, which the file does not have`);
      return [name, reader.read({ ...view, code: storage.code, bytes: storage.bytes })];
    }),
  );
  return { tensors: Object.fromEntries(decoded), under, others };
}

function readArchive(bytes: Uint8Array, source: string) {
  const entries = zipEntries(bytes, source);
  const pickle = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined)
    throw new CheckpointError(`${source}: no data.pkl in the archive, expected a file of torch.save`);
  const root = pickle.slice(0, -"data.pkl".length);
  const order = entries.get(`${root}byteorder`);
  if (order && new TextDecoder().decode(order) !== "little") throw bigEndian(source);
  const { rules } = torchRules((key) => entries.get(`${root}data/${key}`));
  return readPickle(entries.get(pickle)!, source, rules);
}

/**
 * Pickles of the magic number, a version, the machine, the object and its storage keys, followed by the
 * storages.
 */
function readLegacy(bytes: Uint8Array, source: string): PickleObject {
  const body = bytes.subarray(LEGACY_MAGIC.length);
  const { rules, storages } = torchRules(() => undefined);
  const { values, end } = readPickles(body, source, 4, rules);
  const [version, machine, content, keys] = values;
  if (version !== 1001) throw damaged(source, "is of an unknown version of PyTorch's format");
  if (machine instanceof Map && machine.get("little_endian") === false) throw bigEndian(source);
  if (!Array.isArray(keys)) throw damaged(source, "does not list its storages");
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = end;
  for (const key of keys) {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (storage === undefined) throw damaged(source, "has a storage that no tensor uses");
    if (at + 8 > body.length) throw damaged(source, `ends before storage ${storage.key}`);
    const length = Number(view.getBigUint64(at, true)) * ELEMENT_READERS.get(storage.code)!.bytesPerElement;
    at += 8;
    if (at + length > body.length) throw damaged(source, `ends within storage ${storage.key}`);
    storage.bytes = body.subarray(at, at + length);
    at += length;
  }
  return content!;
}

function bigEndian(source: string): CheckpointError {
  return new CheckpointError(`${source}: elements are big-endian, expected little-endian`);
}

function damaged(source: string, what: string): CheckpointError {
  return new CheckpointError(`${source}: the file ${what}`, { hint: "It is damaged; get it again." });
}
