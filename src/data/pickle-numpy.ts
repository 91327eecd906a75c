import { formatShape } from "../util/shape.js";

/**
 * Any value in a pickle. Byte strings, and all strings of Python 2, are bytes; tuples and lists are arrays;
 * dictionary keys are text.
 */
export type PickleObject =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | NdArray
  | ByteType
  | KnownGlobal
  | RebuiltObject
  | PickleObject[]
  | Map<string, PickleObject>;

/** An array of unsigned bytes, in C order. */
export class NdArray {
  shape: readonly number[] = [];
  data: Uint8Array = new Uint8Array();
}

/** The only supported dtype, uint8. */
class ByteType {
  readonly name = "uint8";
}
const BYTE_TYPE = new ByteType();

/** A function or class that a pickle may name, with our own implementation of calling it. */
export class KnownGlobal {
  constructor(readonly call: (args: readonly PickleObject[]) => PickleObject) {}
}

/** An object of a format other than data sets, rebuilt by that format's rules. */
export abstract class RebuiltObject {
  abstract readonly kind: string;

  /** Sets its content, as `__setstate__` would. Rejected by default. */
  setState(_state: PickleObject | undefined): void {
    throw new UnsupportedPickle(`sets the state of a ${this.kind}`);
  }
}

/** What the pickles of one format may name. */
export interface PickleRules {
  /** Looks up a name. Throws UnsupportedPickle for every name that is not on the format's list. */
  readonly known: (module: string, name: string) => KnownGlobal;
  /** Looks up an object outside the pickle by its identifier. Defaults to rejecting all. */
  readonly persistent?: (id: PickleObject) => PickleObject;
  /** What to do about a rejected file. */
  readonly hint: string;
}

/** Thrown if a pickle asks for something unknown. The reader adds the file name. */
export class UnsupportedPickle extends Error {}

const reconstruct = new KnownGlobal(() => new NdArray());

const dtype = new KnownGlobal(([code]) => {
  const name = pickleText(code);
  if (name !== "u1") throw new UnsupportedPickle(`has a NumPy array of dtype ${name}, expected u1 (uint8)`);
  return BYTE_TYPE;
});

// Protocols 0 to 2 have no bytes; Python 3 writes them as text with the same code points.
const encode = new KnownGlobal(([text, encoding]) => {
  if (encoding !== "latin1") throw new UnsupportedPickle(`encodes bytes as ${encoding}, expected latin1`);
  return Uint8Array.from(pickleText(text), (character) => character.charCodeAt(0));
});

const notCalled = new KnownGlobal(() => {
  throw new UnsupportedPickle("calls numpy.ndarray directly");
});

const KNOWN = new Map([
  ["numpy.core.multiarray._reconstruct", reconstruct],
  ["numpy._core.multiarray._reconstruct", reconstruct],
  ["numpy.ndarray", notCalled],
  ["numpy.dtype", dtype],
  ["_codecs.encode", encode],
]);

/** Looks up a name in a pickle. Throws for every name that does not rebuild an array. */
function knownGlobal(module: string, name: string): KnownGlobal {
  const known = KNOWN.get(`${module}.${name}`);
  if (!known) throw new UnsupportedPickle(`asks for ${module}.${name}; only NumPy arrays may be rebuilt`);
  return known;
}

/** Plain values and NumPy arrays of uint8. */
export const NUMPY_BYTES: PickleRules = {
  known: knownGlobal,
  hint: "The file is damaged or is no data set; get it from its publisher.",
};

/** Sets the content of a rebuilt object, as `__setstate__` would. */
export function setState(object: PickleObject | undefined, state: PickleObject | undefined): void {
  // The state of an ordered dictionary is its attributes, none of which is an entry.
  if (object instanceof ByteType || object instanceof Map) return;
  if (object instanceof RebuiltObject) {
    object.setState(state);
    return;
  }
  if (!(object instanceof NdArray) || !Array.isArray(state)) {
    throw new UnsupportedPickle("sets the state of something that is no NumPy array");
  }
  const [, shape, type, fortranOrder, data] = state;
  if (!Array.isArray(shape) || !shape.every((size) => typeof size === "number")) {
    throw new UnsupportedPickle("has a NumPy array without a shape");
  }
  if (type !== BYTE_TYPE || !(data instanceof Uint8Array)) {
    throw new UnsupportedPickle("has a NumPy array that does not hold bytes");
  }
  if (fortranOrder === true || fortranOrder === 1) {
    throw new UnsupportedPickle("has a NumPy array in Fortran order, expected C order");
  }
  const size = shape.reduce((product, length) => product * length, 1);
  if (data.length !== size) {
    throw new UnsupportedPickle(
      `has a NumPy array of shape ${formatShape(shape)} with ${data.length} bytes, expected ${size}`,
    );
  }
  object.shape = shape;
  object.data = data;
}

/** Text from either kind of Python string. Python 2 did not distinguish bytes from text. */
export function pickleText(value: PickleObject | undefined): string {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return new TextDecoder("latin1").decode(value);
  throw new UnsupportedPickle("has something else where a string is expected");
}
