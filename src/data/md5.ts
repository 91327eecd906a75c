/** MD5 (RFC 1321), which browsers lack: it identifies archives and protects nothing. */

const BLOCK = 64;
/** By round: four each. */
const SHIFTS = Int32Array.of(7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21);
/** By round: step i takes word (stride · i + start) mod 16. */
const STRIDES = Int32Array.of(1, 5, 3, 7);
const STARTS = Int32Array.of(0, 1, 5, 0);
const SINES = Int32Array.from({ length: BLOCK }, (_, i) => Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1))));

/** The MD5 of bytes that come piece by piece. */
export class Md5 {
  readonly #state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  readonly #rest = new Uint8Array(BLOCK);
  readonly #words = new Int32Array(BLOCK / 4);
  #length = 0;

  /** Takes in the next bytes. */
  update(bytes: Uint8Array): this {
    let at = 0;
    const held = this.#length % BLOCK;
    this.#length += bytes.length;
    if (held > 0) {
      at = Math.min(BLOCK - held, bytes.length);
      this.#rest.set(bytes.subarray(0, at), held);
      if (held + at < BLOCK) return this;
      this.#take(this.#rest, 0);
    }
    for (; at + BLOCK <= bytes.length; at += BLOCK) this.#take(bytes, at);
    this.#rest.set(bytes.subarray(at));
    return this;
  }

  /** The hash in hexadecimal digits; nothing can be taken in after it. */
  digest(): string {
    const bits = BigInt(this.#length) * 8n;
    const padding = new Uint8Array(((2 * BLOCK - 9 - (this.#length % BLOCK)) % BLOCK) + 9);
    padding[0] = 0x80;
    new DataView(padding.buffer).setBigUint64(padding.length - 8, bits, true);
    this.update(padding);
    const bytes = new Uint8Array(this.#state.buffer);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  #take(bytes: Uint8Array, at: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, BLOCK);
    const words = this.#words;
    for (let i = 0; i < words.length; i++) words[i] = view.getInt32(4 * i, true);
    const state = this.#state;
    let [a, b, c, d] = [state[0]!, state[1]!, state[2]!, state[3]!];
    for (let i = 0; i < BLOCK; i++) {
      const round = i >> 4;
      const mixed = mix(round, b, c, d);
      const word = words[(STRIDES[round]! * i + STARTS[round]!) & 15]!;
      const shift = SHIFTS[4 * round + (i & 3)]!;
      const sum = (a + mixed + SINES[i]! + word) | 0;
      a = d;
      d = c;
      c = b;
      b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
    }
    state[0]! += a;
    state[1]! += b;
    state[2]! += c;
    state[3]! += d;
  }
}

/** The round's function of three words. */
function mix(round: number, b: number, c: number, d: number): number {
  if (round === 0) return (b & c) | (~b & d);
  if (round === 1) return (d & b) | (~d & c);
  if (round === 2) return b ^ c ^ d;
  return c ^ (b | ~d);
}
