import { DataError } from "../errors/index.js";

/** Reads the arguments of a pickle's opcodes in order. */
export class PickleInput {
  readonly #view: DataView;
  #position = 0;

  /** @param file named in errors */
  constructor(
    readonly bytes: Uint8Array,
    readonly file: string,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get position(): number {
    return this.#position;
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Uint8Array {
    return this.bytes.subarray(this.#advance(length), this.#position);
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  /** Reads a length of 8 bytes. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  /** Big-endian, unlike integers. */
  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** Reads text up to the next line feed, and skips it. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.#position);
    const length = (end < 0 ? this.bytes.length + 1 : end) - this.#position;
    const line = new TextDecoder("latin1").decode(this.take(length));
    this.#advance(1);
    return line;
  }

  #advance(length: number): number {
    const start = this.#position;
    if (start + length > this.bytes.length) {
      throw new DataError(`${this.file}: the pickle ends in the middle, after ${this.bytes.length} bytes`, {
        hint: "The file was cut off; get it again.",
      });
    }
    this.#position += length;
    return start;
  }
}
