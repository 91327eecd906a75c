import { DataError } from "../errors/index.js";
import { PickleInput } from "./pickle-input.js";
import {
  KnownGlobal,
  NUMPY_BYTES,
  type PickleObject,
  type PickleRules,
  pickleText,
  setState,
  UnsupportedPickle,
} from "./pickle-numpy.js";

export type { PickleObject } from "./pickle-numpy.js";

/**
 * Reads a Python pickle of plain values and of the objects that `rules` allow, protocols 0 to 5.
 *
 * Nothing in it is executed. A pickle names the functions that rebuild its objects, and only the names in
 * `rules` are known.
 *
 * @param file named in errors
 * @param rules defaults to NumPy arrays of uint8
 * @throws DataError if the pickle names anything else, has an opcode that plain values do not need, or ends
 * too early
 */
export function readPickle(bytes: Uint8Array, file: string, rules: PickleRules = NUMPY_BYTES): PickleObject {
  return readPickles(bytes, file, 1, rules).values[0]!;
}

/**
 * Reads concatenated pickles, as {@link readPickle} does.
 *
 * @returns their values, and the number of bytes read
 */
export function readPickles(
  bytes: Uint8Array,
  file: string,
  count: number,
  rules: PickleRules,
): { readonly values: readonly PickleObject[]; readonly end: number } {
  const input = new PickleInput(bytes, file);
  return refusing(file, rules, () => ({
    values: Array.from({ length: count }, () => new PickleReader(input, rules).read()),
    end: input.position,
  }));
}

/**
 * Adds to the error of a rejected pickle the file name, and that nothing was executed.
 *
 * @throws DataError if `read` throws UnsupportedPickle
 */
export function refusing<T>(file: string, { hint }: Pick<PickleRules, "hint">, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof UnsupportedPickle)) throw cause;
    throw new DataError(`${file}: the pickle ${cause.message}`, {
      hint: `Nothing in it was executed. ${hint}`,
      cause,
    });
  }
}

/** The stack machine that executes the program of a pickle. */
class PickleReader {
  readonly #stack: PickleObject[] = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleObject>();

  constructor(
    readonly input: PickleInput,
    readonly rules: PickleRules,
  ) {}

  read(): PickleObject {
    for (;;) {
      const opcode = String.fromCharCode(this.input.uint8());
      if (opcode === ".") return this.pop();
      const run = OPCODES[opcode];
      if (!run) {
        const hex = opcode.charCodeAt(0).toString(16).padStart(2, "0");
        throw new UnsupportedPickle(`has the unknown opcode 0x${hex} at byte ${this.input.position - 1}`);
      }
      run(this, this.input);
    }
  }

  push(value: PickleObject): void {
    this.#stack.push(value);
  }

  pop(): PickleObject {
    const top = this.top();
    this.#stack.pop();
    return top;
  }

  top(): PickleObject {
    const base = this.#marks.at(-1) ?? 0;
    if (this.#stack.length <= base) throw new UnsupportedPickle("takes more values than it gives");
    return this.#stack.at(-1)!;
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  popMark(): PickleObject[] {
    const base = this.#marks.pop();
    if (base === undefined) throw new UnsupportedPickle("closes a group that it never opened");
    return this.#stack.splice(base);
  }

  popTuple(length: number): void {
    const items = Array.from({ length }, () => this.pop());
    this.push(items.reverse());
  }

  memoize(key: number = this.#memo.size): void {
    this.#memo.set(key, this.top());
  }

  recall(key: number): void {
    const value = this.#memo.get(key);
    if (value === undefined) throw new UnsupportedPickle(`recalls value ${key}, which it never stored`);
    this.push(value);
  }

  append(items: readonly PickleObject[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw new UnsupportedPickle("appends to something that is no list");
    for (const item of items) list.push(item);
  }

  setItems(items: readonly PickleObject[]): void {
    const dictionary = this.top();
    if (!(dictionary instanceof Map))
      throw new UnsupportedPickle("sets a key of something that is no dictionary");
    for (let i = 0; i + 1 < items.length; i += 2) dictionary.set(keyText(items[i]), items[i + 1]!);
  }

  persistent(): void {
    const { persistent } = this.rules;
    if (!persistent) throw new UnsupportedPickle("asks for an object outside itself");
    this.push(persistent(this.pop()));
  }

  call(): void {
    const args = this.pop();
    const callee = this.pop();
    if (!(callee instanceof KnownGlobal) || !Array.isArray(args)) {
      throw new UnsupportedPickle("calls something that is no function");
    }
    this.push(callee.call(args));
  }
}

/** The action of each supported opcode. All others are rejected. */
const OPCODES: Readonly<Record<string, (reader: PickleReader, input: PickleInput) => void>> = {
  "\x80": (_, input) => input.take(1), // protocol
  "\x95": (_, input) => input.take(8), // frame

  N: (reader) => reader.push(null),
  "\x88": (reader) => reader.push(true),
  "\x89": (reader) => reader.push(false),
  I: (reader, input) => reader.push(textInteger(input.line())),
  L: (reader, input) => reader.push(textInteger(input.line().replace(/L$/, ""))),
  J: (reader, input) => reader.push(input.int32()),
  K: (reader, input) => reader.push(input.uint8()),
  M: (reader, input) => reader.push(input.uint16()),
  "\x8a": (reader, input) => reader.push(longInteger(input.take(input.uint8()))),
  F: (reader, input) => reader.push(Number(input.line())),
  G: (reader, input) => reader.push(input.float64()),

  S: (reader, input) => reader.push(quotedBytes(input.line())),
  T: (reader, input) => reader.push(input.take(input.uint32())),
  U: (reader, input) => reader.push(input.take(input.uint8())),
  B: (reader, input) => reader.push(input.take(input.uint32())),
  C: (reader, input) => reader.push(input.take(input.uint8())),
  "\x8e": (reader, input) => reader.push(input.take(input.uint64())),
  "\x96": (reader, input) => reader.push(input.take(input.uint64())),
  V: (reader, input) => reader.push(rawUnicode(input.line())),
  X: (reader, input) => reader.push(utf8(input.take(input.uint32()))),
  "\x8c": (reader, input) => reader.push(utf8(input.take(input.uint8()))),
  "\x8d": (reader, input) => reader.push(utf8(input.take(input.uint64()))),

  "(": (reader) => reader.mark(),
  "0": (reader) => reader.pop(),
  "1": (reader) => reader.popMark(),
  "2": (reader) => reader.push(reader.top()),
  ")": (reader) => reader.push([]),
  "\x85": (reader) => reader.popTuple(1),
  "\x86": (reader) => reader.popTuple(2),
  "\x87": (reader) => reader.popTuple(3),
  t: (reader) => reader.push(reader.popMark()),
  "]": (reader) => reader.push([]),
  l: (reader) => reader.push(reader.popMark()),
  a: (reader) => reader.append([reader.pop()]),
  e: (reader) => reader.append(reader.popMark()),
  "}": (reader) => reader.push(new Map()),
  d: (reader) => {
    const items = reader.popMark();
    reader.push(new Map());
    reader.setItems(items);
  },
  s: (reader) => {
    const value = reader.pop();
    reader.setItems([reader.pop(), value]);
  },
  u: (reader) => reader.setItems(reader.popMark()),

  p: (reader, input) => reader.memoize(Number(input.line())),
  q: (reader, input) => reader.memoize(input.uint8()),
  r: (reader, input) => reader.memoize(input.uint32()),
  "\x94": (reader) => reader.memoize(),
  g: (reader, input) => reader.recall(Number(input.line())),
  h: (reader, input) => reader.recall(input.uint8()),
  j: (reader, input) => reader.recall(input.uint32()),

  c: (reader, input) => reader.push(reader.rules.known(input.line(), input.line())),
  "\x93": (reader) => {
    const name = pickleText(reader.pop());
    reader.push(reader.rules.known(pickleText(reader.pop()), name));
  },
  i: (reader, input) => {
    const callee = reader.rules.known(input.line(), input.line());
    reader.push(callee.call(reader.popMark()));
  },
  Q: (reader) => reader.persistent(),
  R: (reader) => reader.call(),
  b: (reader) => {
    const state = reader.pop();
    setState(reader.top(), state);
  },
};

/** Integer keys, as in an optimiser's state, become text. */
function keyText(key: PickleObject | undefined): string {
  return typeof key === "number" ? String(key) : pickleText(key);
}

/** Protocol 0 writes True and False as 01 and 00. */
function textInteger(text: string): number | boolean {
  if (text === "01") return true;
  if (text === "00") return false;
  return safeInteger(Number(text));
}

/** Little-endian two's complement. */
function longInteger(bytes: Uint8Array): number {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return safeInteger(Number(BigInt.asIntN(8 * bytes.length, value)));
}

function safeInteger(value: number): number {
  if (!Number.isSafeInteger(value)) throw new UnsupportedPickle("has an integer of more than 53 bits");
  return value;
}

/** The bytes of a quoted Python 2 string, as `repr` writes it. */
function quotedBytes(text: string): Uint8Array {
  const controls: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };
  const plain = text
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex?: string, letter?: string) =>
      hex === undefined ? (controls[letter!] ?? letter!) : String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

function rawUnicode(text: string): string {
  return text.replace(/\\u([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
