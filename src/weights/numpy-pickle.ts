/** Pickles of named NumPy arrays, the format of Paddle's weights. */
import {
  KnownGlobal,
  type PickleObject,
  type PickleRules,
  pickleText,
  RebuiltObject,
  readPickle,
  refusing,
  UnsupportedPickle,
} from "../data/index.js";
import { CheckpointError } from "../errors/index.js";
import type { StoredTensor } from "../files/index.js";
import { findTensors } from "./checkpoint-tensors.js";
import { contiguousSteps, StridedReader, wholeNumbers } from "./strided.js";
import type { DecodedWeights } from "./weights-file.js";

/** Safetensors codes of the supported NumPy dtypes. */
const DTYPES: Readonly<Record<string, string>> = {
  f2: "F16",
  f4: "F32",
  f8: "F64",
  i4: "I32",
  i8: "I64",
  u1: "U8",
  b1: "BOOL",
};

class NumpyType extends RebuiltObject {
  readonly kind = "dtype";

  constructor(readonly code: string) {
    super();
  }

  override setState(state: PickleObject | undefined): void {
    const order = Array.isArray(state) ? state[1] : undefined;
    if (order !== "<" && order !== "|") {
      throw new UnsupportedPickle(`has elements of byte order ${String(order)}, expected little-endian`);
    }
  }
}

class NumpyArray extends RebuiltObject {
  readonly kind = "array";
  content: Readonly<Pick<NumpyContent, "shape" | "type" | "fortran" | "bytes">> | undefined;

  override setState(state: PickleObject | undefined): void {
    const [, shape, type, fortran, bytes] = Array.isArray(state) ? state : [];
    this.content = contentOf(shape, type, fortran === true || fortran === 1, bytes);
  }
}

interface NumpyContent {
  readonly shape: readonly number[];
  readonly type: NumpyType;
  readonly fortran: boolean;
  readonly bytes: Uint8Array;
}

function contentOf(
  shape: PickleObject | undefined,
  type: PickleObject | undefined,
  fortran: boolean,
  bytes: PickleObject | undefined,
): NumpyContent {
  if (!(type instanceof NumpyType)) throw new UnsupportedPickle("has a NumPy array without a dtype");
  if (!(bytes instanceof Uint8Array)) throw new UnsupportedPickle("has a NumPy array of objects");
  return { shape: wholeNumbers(shape), type, fortran, bytes };
}

const reconstruct = new KnownGlobal(() => new NumpyArray());
const fromBuffer = new KnownGlobal(([bytes, type, shape, order]) => {
  const array = new NumpyArray();
  array.content = contentOf(shape, type, order === "F", bytes);
  return array;
});
const dtype = new KnownGlobal(([name]) => {
  const text = pickleText(name);
  const code = DTYPES[text.replace(/^[<|]/, "")];
  if (code === undefined) {
    throw new UnsupportedPickle(
      `has a NumPy array of dtype ${text}, expected ${Object.keys(DTYPES).join(", ")}`,
    );
  }
  return new NumpyType(code);
});
// Protocols 0 to 2 have no bytes; Python 3 writes them as text with the same code points.
const encode = new KnownGlobal(([text, encoding]) => {
  if (encoding !== "latin1") throw new UnsupportedPickle("encodes bytes as something else than latin1");
  return Uint8Array.from(pickleText(text), (character) => character.charCodeAt(0));
});
const items = new KnownGlobal(([values]) => values ?? []);
const notCalled = new KnownGlobal(() => {
  throw new UnsupportedPickle("calls numpy.ndarray directly");
});

const KNOWN = new Map<string, KnownGlobal>([
  ["collections.OrderedDict", new KnownGlobal(() => new Map())],
  ["numpy.ndarray", notCalled],
  ["numpy.dtype", dtype],
  ["_codecs.encode", encode],
  // Paddle writes a tensor as a pair of its name and an array.
  ["builtins.tuple", items],
  ["__builtin__.tuple", items],
  ...["numpy.core", "numpy._core"].flatMap((core): [string, KnownGlobal][] => [
    [`${core}.multiarray._reconstruct`, reconstruct],
    [`${core}.numeric._frombuffer`, fromBuffer],
  ]),
]);

const HINT = "Save the weights alone, with paddle.save(model.state_dict(), path).";

const RULES: PickleRules = {
  hint: HINT,
  known: (module, name) => {
    const global = KNOWN.get(`${module}.${name}`);
    if (!global) throw new UnsupportedPickle(`asks for ${module}.${name}; only NumPy arrays may be rebuilt`);
    return global;
  },
};

/**
 * Reads the arrays of a pickled dictionary, such as Paddle's `.pdparams`. Nothing in the file is executed.
 *
 * @throws CheckpointError if there are none, DataError if the pickle asks for anything else
 */
export function decodeNumpyPickle(bytes: Uint8Array, source: string): DecodedWeights {
  const content = readPickle(bytes, source, RULES);
  if (content instanceof Map && content.has("UnpackBigParamInfor@@")) {
    throw new CheckpointError(`${source}: holds tensors of more than 1 GiB in slices, which are not read`, {
      hint: "Save it with paddle.save(model.state_dict(), path, protocol=4).",
    });
  }
  const { tensors, under, others } = findTensors(content, source, isArray);
  const reader = new StridedReader(bytes.length);
  const decoded = refusing(source, { hint: HINT }, () =>
    tensors.map(([name, value]): [string, StoredTensor] => [name, read(arrayOf(value), reader)]),
  );
  return { tensors: Object.fromEntries(decoded), under, others };
}

/** Whether a value is an array, or a pair of a name and an array. */
function isArray(value: PickleObject): value is NumpyArray | [string, NumpyArray] {
  return (
    value instanceof NumpyArray ||
    (Array.isArray(value) &&
      value.length === 2 &&
      typeof value[0] === "string" &&
      value[1] instanceof NumpyArray)
  );
}

function arrayOf(value: NumpyArray | [string, NumpyArray]): NumpyArray {
  return value instanceof NumpyArray ? value : value[1];
}

function read({ content }: NumpyArray, reader: StridedReader): StoredTensor {
  if (content === undefined) throw new UnsupportedPickle("has a NumPy array without content");
  const { shape, type, fortran, bytes } = content;
  return reader.read({ shape, bytes, code: type.code, begin: 0, steps: contiguousSteps(shape, fortran) });
}
