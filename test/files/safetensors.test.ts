import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CheckpointError } from "../../src/errors/index.js";
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  type StoredTensor,
  writeSafetensors,
} from "../../src/files/index.js";
import { temporaryFolder } from "./folder.js";

const STATE: Record<string, StoredTensor> = {
  "features.0.bias": { dtype: "uint8", shape: [3], data: Uint8Array.of(1, 2, 3) },
  "features.0.weight": { dtype: "float32", shape: [2, 2], data: Float32Array.of(1, -0.5, Number.NaN, 3e38) },
  step: { dtype: "int64", shape: [], data: BigInt64Array.of(-9007199254740993n) },
  empty: { dtype: "float32", shape: [0, 4], data: new Float32Array(0) },
  mask: { dtype: "bool", shape: [1, 2], data: Uint8Array.of(1, 0) },
  classes: { dtype: "int32", shape: [2], data: Int32Array.of(-1, 7) },
};

/** A file with this header, and `dataBytes` zeros after it. */
function fileOf(header: unknown, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

function f32(begin: number, end: number, shape = [(end - begin) / 4]) {
  return { dtype: "F32", shape, data_offsets: [begin, end] };
}

const encode = (tensors: Record<string, StoredTensor>) => Buffer.concat(encodeSafetensors(tensors));

describe("round trip", () => {
  test("keeps values, dtypes, shapes, order and metadata, through a file", async () => {
    const path = join(await temporaryFolder(), "state.safetensors");
    await writeSafetensors(path, STATE, { model: "alexnet-dy" });
    const { tensors, metadata } = await readSafetensors(path);
    expect(tensors).toEqual(STATE);
    expect(Object.keys(tensors)).toEqual(Object.keys(STATE));
    expect(metadata).toEqual({ model: "alexnet-dy" });
  });

  test("aligns the data and each tensor in it", () => {
    const [header, ...data] = encodeSafetensors(STATE);
    expect(header!.length % 8).toBe(0);
    let offset = 0;
    for (const bytes of data) {
      const width = Object.values(STATE).find(({ data }) => data.buffer === bytes.buffer)!.data
        .BYTES_PER_ELEMENT;
      expect(offset % width).toBe(0);
      offset += bytes.length;
    }
  });

  test("holds for any names and lengths, also of one tensor under two names", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.array(fc.float()), { maxKeys: 6 }), (arrays) => {
        const named = Object.entries(arrays).map(([name, values]): [string, StoredTensor] => [
          `t.${name}`,
          { dtype: "float32", shape: [values.length], data: Float32Array.from(values) },
        ]);
        const twice = named
          .slice(0, 1)
          .map(([name, tensor]): [string, StoredTensor] => [`${name}.tied`, tensor]);
        const tensors = Object.fromEntries([...named, ...twice]);
        expect(decodeSafetensors(encode(tensors), "any").tensors).toEqual(tensors);
      }),
      { numRuns: 50 },
    );
  });

  test("takes views into larger buffers on both sides", () => {
    const state = new Float32Array(16).fill(2);
    const file = encode({ part: { dtype: "float32", shape: [4], data: state.subarray(3, 7) } });
    const shifted = new Uint8Array(file.length + 1);
    shifted.set(file, 1);
    expect(decodeSafetensors(shifted.subarray(1), "view").tensors.part!.data).toEqual(state.slice(3, 7));
  });
});

describe("other float widths become float32", () => {
  const values = [1, -2.5, 2 ** -24, Number.POSITIVE_INFINITY];
  test.each([
    ["F64", new Uint8Array(Float64Array.from(values).buffer), values],
    ["F16", new Uint8Array(Uint16Array.of(0x3c00, 0xc100, 0x0001, 0x7c00).buffer), values],
    ["BF16", new Uint8Array(Uint16Array.of(0x3f80, 0xc020, 0x3380, 0x7f80).buffer), values],
  ])("%s", (dtype, data, expected) => {
    const bytes = fileOf({ x: { dtype, shape: [4], data_offsets: [0, data.length] } }, data.length);
    bytes.set(data, bytes.length - data.length);
    const { x } = decodeSafetensors(bytes, "half").tensors;
    expect(x).toEqual({ dtype: "float32", shape: [4], data: Float32Array.from(expected) });
  });
});

describe("encoding refuses", () => {
  test("data that does not fill its shape", () => {
    const short: StoredTensor = { dtype: "float32", shape: [2, 3], data: new Float32Array(5) };
    expect(() => encodeSafetensors({ weight: short })).toThrow(
      "tensor weight: shape [2, 3] needs 6 elements, received 5",
    );
  });

  test("the reserved name", () => {
    expect(() => encodeSafetensors({ __metadata__: STATE.step! })).toThrow("__metadata__");
  });
});

describe("decoding refuses", () => {
  test.each([
    ["an empty file", new Uint8Array(0), "0 bytes"],
    ["another format", new TextEncoder().encode("PK\u0003\u0004 something else"), "not a safetensors file"],
    ["a header cut short", fileOf("{}").subarray(0, 9), "needs 2 bytes and 1 are there"],
    ["a header that is no JSON", fileOf("{x"), "not JSON"],
    ["a header that is a list", fileOf([]), "not a JSON object"],
    ["metadata that are not text", fileOf({ __metadata__: { step: 3 } }), "not a record of texts"],
    ["an unknown dtype", fileOf({ w: { ...f32(0, 4), dtype: "F8_E4M3" } }, 4), "tensor w has dtype F8_E4M3"],
    ["a negative size", fileOf({ w: f32(0, 4, [-1]) }, 4), "tensor w has no valid shape"],
    [
      "one offset",
      fileOf({ w: { ...f32(0, 4), data_offsets: [0] } }, 4),
      "tensor w has no valid data_offsets",
    ],
    ["a shape of another size", fileOf({ w: f32(0, 8, [3]) }, 8), "needs 12 bytes and has 8"],
    ["an overlap", fileOf({ a: f32(0, 8), w: f32(4, 12) }, 12), "tensor w overlaps"],
    ["a gap", fileOf({ a: f32(0, 4), w: f32(8, 12) }, 12), "4 bytes before tensor w"],
    ["data cut short", fileOf({ w: f32(0, 8) }, 4), "tensor w ends at byte 8 of 4"],
    ["data left over", fileOf({ w: f32(0, 8) }, 12), "4 bytes at the end"],
  ])("%s", (_, bytes, message) => {
    const decode = () => decodeSafetensors(bytes, "best.safetensors");
    expect(decode).toThrow(CheckpointError);
    expect(decode).toThrow(message);
    expect(decode).toThrow("best.safetensors");
  });

  test("corrupt bytes never end in another error", () => {
    const intact = encode(STATE);
    const damage = fc.record({
      at: fc.nat(intact.length - 1),
      byte: fc.nat(255),
      length: fc.nat(intact.length),
    });
    fc.assert(
      fc.property(damage, ({ at, byte, length }) => {
        const bytes = new Uint8Array(intact);
        bytes[at] = byte;
        try {
          decodeSafetensors(bytes.subarray(0, length), "fuzzed");
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

const GOLDEN = join(import.meta.dirname, "../../../shared/golden");

describe("reference files", () => {
  test("decode, and their shapes are those written by another implementation", async (context) => {
    context.skip(!existsSync(GOLDEN), "../shared/golden, the reference vectors, is absent");
    const names = readdirSync(GOLDEN).filter((name) => name.startsWith("dynamic-conv2d-"));
    for (const name of names) {
      const { tensors } = await readSafetensors(join(GOLDEN, name));
      expect(tensors.x!.dtype, name).toBe("float32");
      expect(tensors.x!.shape.length, name).toBe(4);
      expect(decodeSafetensors(encode(tensors), name).tensors).toEqual(tensors);
    }
  });
});
