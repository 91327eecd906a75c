import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  readSafetensors,
  type StoredTensor,
  verifyChecksum,
  withChecksum,
  writeSafetensors,
} from "../../src/files/index.js";
import { temporaryFolder } from "./folder.js";

const tensor = (...values: number[]): StoredTensor => ({
  dtype: "float32",
  shape: [values.length],
  data: Float32Array.from(values),
});
const TENSORS = { a: tensor(1, 2, 3), b: tensor(4, 5, 6) };

async function write(tensors: Readonly<Record<string, StoredTensor>>, metadata: Record<string, string>) {
  const path = join(await temporaryFolder(), "weights.safetensors");
  await writeSafetensors(path, tensors, metadata);
  return path;
}

const verify = async (path: string) => verifyChecksum(await readSafetensors(path), path);

it("accepts what was written, and says where there is no checksum", async () => {
  expect(await verify(await write(TENSORS, withChecksum(TENSORS, { run: "x" })))).toBe(true);
  expect(await verify(await write(TENSORS, { run: "x" }))).toBe(false);
});

it("finds every flipped bit of the data", async () => {
  const path = await write(TENSORS, withChecksum(TENSORS, {}));
  const intact = await readFile(path);
  const dataBits = 8 * 4 * 6;
  await fc.assert(
    fc.asyncProperty(fc.nat(dataBits - 1), async (bit) => {
      const damaged = Buffer.from(intact);
      damaged[damaged.length - 1 - (bit >> 3)]! ^= 1 << (bit & 7);
      await writeFile(path, damaged);
      await expect(verify(path)).rejects.toThrow(/weights\.safetensors: its content does not match/);
    }),
    { numRuns: 100 },
  );
});

it.each([
  ["tensors of one shape that were exchanged", { a: TENSORS.b, b: TENSORS.a }, { run: "x" }],
  ["another name", { a: TENSORS.a, c: TENSORS.b }, { run: "x" }],
  ["another shape", { a: { ...TENSORS.a, shape: [3, 1] }, b: TENSORS.b }, { run: "x" }],
  ["another run", TENSORS, { run: "y" }],
])("finds %s", async (_, tensors, metadata) => {
  const { sha256 } = withChecksum(TENSORS, { run: "x" });
  const path = await write(tensors, { ...metadata, sha256: sha256! });
  await expect(verify(path)).rejects.toThrow(/does not match its checksum/);
});
