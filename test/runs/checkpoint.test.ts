import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeSafetensors } from "../../src/files/index.js";
import { initialState, Linear, ReLU, Sequential, stateShapes } from "../../src/nn/index.js";
import { sgd, slotsFor } from "../../src/optim/index.js";
import { loadCheckpoint, type Position, readState, saveCheckpoint } from "../../src/runs/checkpoint.js";
import { temporaryFolder } from "../files/folder.js";

const linear = new Linear(3, 3);
const model = new Sequential(linear, new ReLU(), linear);
const optimizer = sgd({ momentum: 0.9 });
const shapes = stateShapes(model, optimizer);
const weights = initialState(model, 4);
const state = { ...weights, ...slotsFor(optimizer, weights) };

const position: Position = {
  ...{ epoch: 1, batch: 2, step: 9, lossSum: 3.5, measured: 7, best: 0.5, bestEpoch: 1 },
  annealed: { temperature: 27, mixing: 0.25 },
};

it("a checkpoint keeps the one state of a layer that is used twice, and annealed scalars by name", async () => {
  const path = join(await temporaryFolder(), "last.safetensors");
  await saveCheckpoint(path, shapes, { state, position }, { model: "own", id: "run" });
  const loaded = await loadCheckpoint(path, shapes);
  expect(loaded.position).toEqual(position);
  expect(Object.keys(loaded.state)).toEqual(["0.weight", "0.bias", "momentum/0.weight", "momentum/0.bias"]);
  expect(loaded.state).toEqual(state);
});

it("an early checkpoint, which holds the temperature by itself, is read", async () => {
  const path = join(await temporaryFolder(), "last.safetensors");
  const { annealed: _, ...others } = position;
  await writeSafetensors(path, {}, { position: JSON.stringify({ ...others, temperature: 27 }) });
  const loaded = await loadCheckpoint(path, {});
  expect(loaded.position).toEqual({ ...others, annealed: { temperature: 27 } });
});

const SHAPES = { weight: [2, 2], bias: [2] };
const STATE = { weight: Float32Array.of(1, 2, 3, 4), bias: Float32Array.of(5, 6) };

async function write(state: Record<string, Float32Array> = STATE): Promise<string> {
  const path = join(await temporaryFolder(), "last.safetensors");
  await saveCheckpoint(path, SHAPES, { state, position: position }, { model: "alexnet", id: "run" });
  return path;
}

describe("a checkpoint", () => {
  it("is read as it was written", async () => {
    const read = await loadCheckpoint(await write(), SHAPES);
    const { annealed } = position;
    expect(read).toEqual({ state: STATE, position, annealed, id: "run", verified: true });
  });

  it("that was damaged is refused", async () => {
    const path = await write();
    const bytes = await readFile(path);
    bytes[bytes.length - 5]! ^= 1;
    await writeFile(path, bytes);
    await expect(loadCheckpoint(path, SHAPES)).rejects.toThrow(/does not match its checksum/);
  });

  it.each([Number.NaN, Infinity])("that holds %d is refused", async (value) => {
    const path = await write({ ...STATE, bias: Float32Array.of(1, value) });
    await expect(readState(path, SHAPES)).rejects.toThrow(`"bias" holds ${value}`);
  });

  it.each([
    ["3", /position in the run cannot be read: .*expected object/],
    ["{}", /position in the run cannot be read: [\s\S]*epoch/],
    ["{", /position in the run cannot be read: it is not JSON/],
  ])("whose position is %s is refused", async (position, message) => {
    const path = join(await temporaryFolder(), "last.safetensors");
    const tensors = Object.entries(STATE).map(([name, data]) => [
      name,
      { dtype: "float32" as const, shape: SHAPES[name as keyof typeof SHAPES], data },
    ]);
    await writeSafetensors(path, Object.fromEntries(tensors), { position });
    await expect(readState(path, SHAPES)).rejects.toThrow(message);
  });
});
