import { readFile } from "node:fs/promises";
import {
  KnownGlobal,
  type PickleObject,
  type PickleRules,
  RebuiltObject,
  readPickle,
  UnsupportedPickle,
} from "../data/index.js";
import { CheckpointError, DyconvError } from "../errors/index.js";
import { ELEMENT_READERS, type StoredTensor } from "../files/index.js";
import { zipEntries } from "./zip-entries.js";

/** Codes of safetensors for the storages of PyTorch that can be read. */
const STORAGES: Readonly<Record<string, string>> = {
  FloatStorage: "F32",
  DoubleStorage: "F64",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  IntStorage: "I32",
  LongStorage: "I64",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

/** Tensors may share memory, but together take no more than so many times the file. */
const MOST_GROWTH = 8;

class StorageType extends KnownGlobal {
  constructor(readonly code: string) {
    super(() => {
      throw new UnsupportedPickle("calls a storage directly");
    });
  }
}

class Storage extends RebuiltObject {
  readonly kind = "storage";
  constructor(
    readonly code: string,
    readonly bytes: Uint8Array,
  ) {
    super();
  }
}

class Tensor extends RebuiltObject {
  readonly kind = "tensor";
  constructor(readonly value: StoredTensor) {
    super();
  }
}

/**
 * Reads the tensors of a PyTorch file (see `decodeTorch`).
 *
 * @throws DyconvError where the file cannot be read, and all that `decodeTorch` throws
 */
export async function readTorch(path: string): Promise<Record<string, StoredTensor>> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new DyconvError(`cannot read ${path}`, { hint: "Check the path.", cause });
  });
  return decodeTorch(bytes, path);
}

/**
 * Reads the tensors of a file that `torch.save` wrote (PyTorch 1.6 or later): a state dictionary, or a
 * checkpoint that has one under `state_dict` or `model`. Nothing in the file is run. Elements of float64,
 * float16 and bfloat16 become float32.
 *
 * @param source named in errors, usually the path
 * @throws CheckpointError where the file is damaged or holds no tensors, DataError where its pickle asks
 * for anything but tensors
 */
export function decodeTorch(bytes: Uint8Array, source: string): Record<string, StoredTensor> {
  const entries = zipEntries(bytes, source);
  const pickle = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined)
    throw new CheckpointError(`${source}: no data.pkl in the archive, expected a file of torch.save`);
  const root = pickle.slice(0, -"data.pkl".length);
  const order = entries.get(`${root}byteorder`);
  if (order && new TextDecoder().decode(order) !== "little") {
    throw new CheckpointError(`${source}: elements are big-endian, expected little-endian`);
  }
  const content = readPickle(entries.get(pickle)!, source, rules(root, entries, MOST_GROWTH * bytes.length));
  const tensors = tensorsOf(content);
  if (Object.keys(tensors).length > 0) return tensors;
  throw new CheckpointError(`${source}: no tensors found, expected a state dictionary`, {
    hint: "Save it with torch.save(model.state_dict(), path).",
  });
}

function tensorsOf(content: PickleObject): Record<string, StoredTensor> {
  if (!(content instanceof Map)) return {};
  const nested = content.get("state_dict") ?? content.get("model");
  const dictionary = nested instanceof Map ? nested : content;
  return Object.fromEntries(
    [...dictionary].flatMap(([name, value]) => (value instanceof Tensor ? [[name, value.value]] : [])),
  );
}

function rules(root: string, entries: ReadonlyMap<string, Uint8Array>, mostBytes: number): PickleRules {
  let room = mostBytes;
  const rebuild = new KnownGlobal(([storage, offset, shape, strides]) => {
    if (!(storage instanceof Storage)) throw new UnsupportedPickle("has a tensor without a storage");
    const { bytesPerElement } = ELEMENT_READERS.get(storage.code)!;
    const sizes = wholes(shape);
    const steps = wholes(strides);
    const begin = wholes([offset!])[0]!;
    if (steps.length !== sizes.length)
      throw new UnsupportedPickle("has a tensor with a stride too many or too few");
    const count = sizes.reduce((product, size) => product * size, 1);
    const last = sizes.reduce((sum, size, axis) => sum + (size - 1) * steps[axis]!, begin);
    const held = storage.bytes.length / bytesPerElement;
    if (count > 0 && (last >= held || count > held)) {
      throw new UnsupportedPickle(
        `has a tensor of shape [${sizes.join(", ")}] outside its storage of ${held} elements`,
      );
    }
    room -= count * Math.max(4, bytesPerElement);
    if (room < 0) throw new UnsupportedPickle(`has tensors of more than ${mostBytes} bytes together`);
    const elements = gather(storage.bytes, bytesPerElement, begin, sizes, steps, count);
    return new Tensor({ shape: sizes, ...ELEMENT_READERS.get(storage.code)!.read(elements.buffer) });
  });
  const known = new Map<string, KnownGlobal>([
    ["collections.OrderedDict", new KnownGlobal(() => new Map())],
    ["torch._utils._rebuild_tensor_v2", rebuild],
    ["torch._utils._rebuild_parameter", new KnownGlobal(([tensor]) => tensor ?? null)],
    ...Object.entries(STORAGES).map(([name, code]): [string, KnownGlobal] => [
      `torch.${name}`,
      new StorageType(code),
    ]),
  ]);
  return {
    hint: "Save the weights alone, with torch.save(model.state_dict(), path).",
    known: (module, name) => {
      const global = known.get(`${module}.${name}`);
      if (!global) throw new UnsupportedPickle(`asks for ${module}.${name}; only tensors may be rebuilt`);
      return global;
    },
    persistent: (id) => {
      const [kind, type, key] = Array.isArray(id) ? id : [];
      if (kind !== "storage" || !(type instanceof StorageType) || typeof key !== "string") {
        throw new UnsupportedPickle("asks for an object outside itself that is no storage");
      }
      const bytes = entries.get(`${root}data/${key}`);
      if (!bytes) throw new UnsupportedPickle(`asks for storage ${key}, which the archive does not have`);
      return new Storage(type.code, bytes);
    },
  };
}

function wholes(values: PickleObject | undefined): readonly number[] {
  const whole = (value: PickleObject): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  if (Array.isArray(values) && values.every(whole)) return values;
  throw new UnsupportedPickle("has a tensor with a size, stride or offset that is no whole number");
}

/** Copies the elements of a strided view in row-major order. */
function gather(
  bytes: Uint8Array,
  width: number,
  begin: number,
  sizes: readonly number[],
  steps: readonly number[],
  count: number,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(count * width);
  const index = sizes.map(() => 0);
  let from = begin;
  for (let to = 0; to < count; to++) {
    for (let byte = 0; byte < width; byte++) out[to * width + byte] = bytes[from * width + byte]!;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      index[axis]!++;
      if (index[axis]! < sizes[axis]!) break;
      from -= steps[axis]! * sizes[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}
