import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { DataError, DyconvError } from "../../src/errors/index.js";
import { type StoredTensor, writeSafetensors } from "../../src/files/index.js";
import { checkParity } from "../../src/parity/parity.js";
import { temporaryFolder } from "../files/folder.js";

const FILE = "loss.safetensors";
const TENSORS: Record<string, StoredTensor> = {
  logits: { dtype: "float32", shape: [1, 2], data: new Float32Array(2) },
  target: { dtype: "int64", shape: [1], data: new BigInt64Array(1) },
  loss: { dtype: "float32", shape: [], data: Float32Array.of(Math.LN2) },
};
const CASE = {
  file: FILE,
  tolerance: 1e-5,
  options: { labelSmoothing: 0 },
  tensors: { logits: [1, 2], target: [1], loss: [] as number[] },
};
const LAYER = {
  ...{ inChannels: 2, outChannels: 2, kernelSize: 1, stride: 1, padding: 0, dilation: 1, groups: 1 },
  ...{ bias: false, experts: 2, ratio: 1, temperature: 1, routing: "softmax" },
};

async function write(index: unknown, tensors = TENSORS): Promise<string> {
  const folder = await temporaryFolder();
  await writeSafetensors(join(folder, FILE), tensors);
  const path = join(folder, "index.json");
  await writeFile(path, JSON.stringify(index));
  return path;
}

async function check(index: unknown, tensors = TENSORS): Promise<number> {
  let cases = 0;
  for await (const { passed } of checkParity(await write(index, tensors))) cases += Number(passed);
  return cases;
}

describe("an index of reference vectors", () => {
  it("that is whole passes", async () => {
    expect(await check({ cases: [CASE] })).toBe(1);
  });

  it.each([
    ["is empty", { cases: [] }, /no index of reference vectors: .*cases/s],
    ["is null", null, /no index of reference vectors/],
    ["has no tolerance", { cases: [{ ...CASE, tolerance: null }] }, /tolerance/],
    ["has a negative tolerance", { cases: [{ ...CASE, tolerance: -1 }] }, /tolerance/],
    [
      "lacks an option",
      { cases: [{ ...CASE, options: {} }] },
      /loss\.safetensors: options: .*labelSmoothing/s,
    ],
    [
      "has a layer without channels",
      { cases: [{ ...CASE, options: { ...LAYER, inChannels: 0 } }] },
      /inChannels/,
    ],
    ["has options of a layer for a loss", { cases: [{ ...CASE, options: LAYER }] }, /tensor "x" is missing/],
    [
      "lists a tensor by a name that all objects have",
      { cases: [{ ...CASE, tensors: { ...CASE.tensors, toString: [1] } }] },
      /loss\.safetensors: tensor "toString" is listed as float32 \[1\], found absent/,
    ],
    [
      "has a case that is damaged",
      { cases: [CASE, { ...CASE, tensors: 1 }] },
      /loss\.safetensors: .*tensors/s,
    ],
    ["names no file", { cases: [{ ...CASE, file: "none" }] }, /cannot read .*none: ENOENT/],
    [
      "lists another shape",
      { cases: [{ ...CASE, tensors: { ...CASE.tensors, logits: [2, 1] } }] },
      /tensor "logits" is listed as float32 \[2, 1\], found float32 \[1, 2\]/,
    ],
    [
      "lists a tensor that is absent",
      { cases: [{ ...CASE, tensors: { ...CASE.tensors, "grad.logits": [1, 2] } }] },
      /tensor "grad\.logits" is listed as .*, found absent/,
    ],
  ])("that %s is refused", async (_, index, message) => {
    await expect(check(index)).rejects.toThrow(message);
    await expect(check(index)).rejects.toBeInstanceOf(DyconvError);
  });

  it("may have options that are not known, which are named and ignored", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    expect(await check({ cases: [{ ...CASE, options: { ...CASE.options, smoothing: 0.1 } }] })).toBe(1);
    expect(warn).toHaveBeenCalledWith("loss.safetensors: unknown options are ignored: smoothing");
    warn.mockRestore();
  });

  it("whose file holds nothing to compare is refused", async () => {
    const { loss: _, ...fed } = TENSORS;
    const { loss: __, ...listed } = CASE.tensors;
    const index = { cases: [{ ...CASE, tensors: listed }] };
    await expect(check(index, fed)).rejects.toThrow(/nothing to compare/);
  });

  it("with any byte changed gives no raw error", async () => {
    const path = await write({ cases: [CASE] });
    const intact = await readFile(path);
    const change = fc.record({ at: fc.nat(intact.length - 1), byte: fc.integer({ min: 32, max: 126 }) });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, byte }) => {
        const damaged = Buffer.from(intact);
        damaged[at] = byte;
        await writeFile(path, damaged);
        try {
          for await (const result of checkParity(path)) expect(Object.keys(result.errors)).not.toEqual([]);
        } catch (error) {
          expect(error).toBeInstanceOf(DyconvError);
          expect((error as Error).message).not.toMatch(/Cannot read|is not a function/);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is read with one error class", async () => {
    await expect(check([])).rejects.toBeInstanceOf(DataError);
  });
});
