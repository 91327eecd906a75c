/** PyTorch's pickles: the names they may ask for, and how their objects are rebuilt. */
import { KnownGlobal, type PickleRules, RebuiltObject, UnsupportedPickle } from "../data/index.js";
import { wholeNumbers } from "./strided.js";

/** Safetensors codes of the supported PyTorch storages. */
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

class StorageType extends KnownGlobal {
  constructor(readonly code: string) {
    super(() => {
      throw new UnsupportedPickle("calls a storage directly");
    });
  }
}

/** A range of elements. Older files store its bytes after the pickle. */
export class TorchStorage extends RebuiltObject {
  readonly kind = "storage";
  bytes: Uint8Array | undefined;

  constructor(
    readonly code: string,
    readonly key: string,
  ) {
    super();
  }
}

/** A view of a storage. */
export class TorchTensor extends RebuiltObject {
  readonly kind = "tensor";

  constructor(
    readonly storage: TorchStorage,
    readonly begin: number,
    readonly shape: readonly number[],
    readonly steps: readonly number[],
  ) {
    super();
  }
}

const rebuild = new KnownGlobal(([storage, offset, shape, strides]) => {
  if (!(storage instanceof TorchStorage)) throw new UnsupportedPickle("has a tensor without a storage");
  return new TorchTensor(storage, wholeNumbers([offset])[0]!, wholeNumbers(shape), wholeNumbers(strides));
});
const first = new KnownGlobal(([value]) => value ?? null);

const KNOWN = new Map<string, KnownGlobal>([
  ["collections.OrderedDict", new KnownGlobal(() => new Map())],
  ["torch._utils._rebuild_tensor", rebuild],
  ["torch._utils._rebuild_tensor_v2", rebuild],
  ["torch._utils._rebuild_parameter", first],
  ["torch.Size", new KnownGlobal(([sizes]) => sizes ?? [])],
  ...Object.entries(STORAGES).map(([name, code]): [string, KnownGlobal] => [
    `torch.${name}`,
    new StorageType(code),
  ]),
]);

/** What to do about a rejected file. */
export const TORCH_HINT = "Save the weights alone, with torch.save(model.state_dict(), path).";

/**
 * Rules for one file, which allow tensors and nothing else.
 *
 * @param find returns the bytes of a storage by its key, or `undefined` if they follow later
 * @returns the rules, and the requested storages, by key
 */
export function torchRules(find: (key: string) => Uint8Array | undefined) {
  const storages = new Map<string, TorchStorage>();
  const rules: PickleRules = {
    hint: TORCH_HINT,
    known: (module, name) => {
      const global = KNOWN.get(`${module}.${name}`);
      if (!global) throw new UnsupportedPickle(`asks for ${module}.${name}; only tensors may be rebuilt`);
      return global;
    },
    persistent: (id) => {
      const [kind, type, key, , , view] = Array.isArray(id) ? id : [];
      if (kind !== "storage" || !(type instanceof StorageType) || typeof key !== "string") {
        throw new UnsupportedPickle("asks for an object outside itself that is no storage");
      }
      if (view !== undefined && view !== null) throw new UnsupportedPickle("has a storage within a storage");
      const storage = storages.get(key) ?? new TorchStorage(type.code, key);
      if (storage.code !== type.code) throw new UnsupportedPickle(`has storage ${key} with two types`);
      storages.set(key, storage);
      storage.bytes ??= find(key);
      return storage;
    },
  };
  return { rules, storages: storages as ReadonlyMap<string, TorchStorage> };
}
