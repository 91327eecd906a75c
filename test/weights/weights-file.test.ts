import { existsSync, readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { DyconvError } from "../../src/errors/index.js";
import { writeSafetensors } from "../../src/files/index.js";
import { decodeWeights, readWeights } from "../../src/weights/weights-file.js";
import { temporaryFolder } from "../files/folder.js";

const FILES = fileURLToPath(new URL("files/", import.meta.url));
const ramp = (length: number, from = 0) => Float32Array.from({ length }, (_, i) => i / 4 + from);
const STATE = {
  "conv.weight": { dtype: "float32", shape: [2, 3, 1, 1], data: ramp(6) },
  "bn.running_mean": { dtype: "float32", shape: [2], data: ramp(2, 8) },
  "bn.num_batches_tracked": { dtype: "int64", shape: [], data: BigInt64Array.from([7n]) },
} as const;
const OLD_AND_NEW = ["", "-old"];

describe("readWeights", () => {
  it.each(["state.pth", "state-old.pth", "pairs.pdparams"])("reads %s", async (file) => {
    const { tensors, notes } = await readWeights(join(FILES, file));
    expect(tensors).toEqual(STATE);
    expect(notes).toEqual([]);
  });

  it.each(OLD_AND_NEW)("takes the weights of a checkpoint, checkpoint%s.pth, and says so", async (suffix) => {
    const { tensors, notes } = await readWeights(join(FILES, `checkpoint${suffix}.pth`));
    expect(tensors).toEqual(STATE);
    expect(notes.map((note) => note.replace(/^.*\.pth: /, ""))).toEqual([
      "weights are those under state_dict",
      "state_dict_ema also hold tensors, which are not used",
      '"module." before every name was left out',
    ]);
  });

  it.each(OLD_AND_NEW)("reads views and other types of elements, views%s.pth", async (suffix) => {
    const { tensors } = await readWeights(join(FILES, `views${suffix}.pth`));
    const values = Object.entries(tensors).map(([name, { data }]) => [name, Array.from(data, Number)]);
    expect(Object.fromEntries(values)).toEqual({
      transposed: [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11].map((v) => v / 4),
      part: [3, 4, 5, 6].map((v) => v / 4),
      ...{ half: [1.5, -2], bfloat16: [1.5, -2], double: [1.5, -2], parameter: [0, 0.25] },
    });
  });

  it.each([2, 4, 5])("reads Paddle's arrays, protocol %i", async (protocol) => {
    const { format, tensors } = await readWeights(join(FILES, `protocol${protocol}.pdparams`));
    expect(format).toBe("paddle");
    expect(tensors).toEqual({
      ...STATE,
      fortran: { dtype: "float32", shape: [2, 3], data: ramp(6) },
    });
  });

  it("reads the initialisers of an ONNX model, as bytes and by type", async () => {
    const { format, tensors } = await readWeights(join(FILES, "model.onnx"));
    expect(format).toBe("onnx");
    const pair = { dtype: "float32", shape: [2], data: Float32Array.of(1.5, -2) };
    expect(tensors).toEqual({ ...STATE, typed: pair, half: pair });
  });

  it("reads safetensors, whatever the file is called", async () => {
    const path = join(await temporaryFolder(), "weights.pth");
    await writeSafetensors(path, STATE, { format: "pt" });
    const weights = await readWeights(path);
    expect(weights).toEqual({ format: "safetensors", tensors: STATE, metadata: { format: "pt" }, notes: [] });
  });

  it.each(["evil.pth", "evil-old.pth", "evil.pdparams"])("runs nothing of %s", async (file) => {
    const reading = readWeights(join(FILES, file));
    await expect(reading).rejects.toThrow(/asks for posix\.system; only (tensors|NumPy arrays) may be/);
    await expect(reading).rejects.toMatchObject({
      hint: expect.stringMatching(/^Nothing in it was executed/),
    });
    expect(existsSync("evil-was-run")).toBe(false);
  });

  it("says what a file is that cannot be read", () => {
    const of = (text: string) => () => decodeWeights(Buffer.from(text, "latin1"), "w");
    expect(of("")).toThrow("w: the file is empty");
    expect(of("\x89HDF\r\n\x1a\n")).toThrow(/HDF5 file, as Keras writes/);
    expect(of("version https://git-lfs.github.com/spec/v1\n")).toThrow(/pointer of Git LFS/);
    expect(of("<!DOCTYPE html><html>")).toThrow(/a web page/);
    expect(of("\x1f\x8b\x08")).toThrow(/gzip archive/);
    expect(of("weights")).toThrow(/not a known weights format/);
    expect(of("PK\x03\x04")).toThrow(/zip archive/);
  });

  it("says so of a file that is missing", async () => {
    await expect(readWeights("nowhere.pth")).rejects.toThrow("cannot read nowhere.pth: ENOENT");
  });

  const whole = readdirSync(FILES).filter((file) => !/evil|\.py$/.test(file));
  it.each(whole)("gives an error of dyconv for %s cut short or changed, or reads it", async (file) => {
    const bytes = await readFile(join(FILES, file));
    const trial = (changed: Uint8Array) => {
      try {
        decodeWeights(changed, file);
      } catch (error) {
        expect(error).toBeInstanceOf(DyconvError);
      }
    };
    for (let n = 0; n < 60; n++) {
      const at = Math.floor((n * bytes.length) / 60);
      expect(() => decodeWeights(bytes.subarray(0, at), file)).toThrow(DyconvError);
      const changed = Uint8Array.from(bytes);
      changed[at] = changed[at]! ^ 0xff;
      trial(changed);
    }
  });

  it("does not take the memory that a file of few bytes asks for", async () => {
    const path = join(await temporaryFolder(), "w.onnx");
    // graph { initializer { dims: 10^12, data_type: FLOAT, name: "w" } }
    await writeFile(
      path,
      Buffer.from([
        8, 8, 0x42, 2, 16, 17, 0x3a, 14, 0x2a, 12, 8, 0x80, 0xa0, 0x94, 0xa5, 0x8d, 0x1d, 16, 1, 0x42, 1,
        0x77,
      ]),
    );
    await expect(readWeights(path)).rejects.toThrow(/has 0 bytes, expected/);
  });
});
