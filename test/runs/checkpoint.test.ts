import { join } from "node:path";
import { expect, it } from "vitest";
import { writeSafetensors } from "../../src/files/index.js";
import { initialState, Linear, ReLU, Sequential, stateShapes } from "../../src/nn/index.js";
import { sgd, slotsFor } from "../../src/optim/index.js";
import { loadCheckpoint, type Position, saveCheckpoint } from "../../src/runs/checkpoint.js";
import { temporaryFolder } from "../files/folder.js";

const linear = new Linear(3, 3);
const model = new Sequential(linear, new ReLU(), linear);
const optimizer = sgd({ momentum: 0.9 });
const shapes = stateShapes(model, optimizer);
const weights = initialState(model, 4);
const state = { ...weights, ...slotsFor(optimizer, weights) };

const position: Position = {
  ...{ epoch: 1, batch: 2, step: 9, lossSum: 3.5, hits: 7, bestAccuracy: 0.5, bestEpoch: 1 },
  annealed: { temperature: 27, mixing: 0.25 },
};

it("a checkpoint keeps the one state of a layer that is used twice, and annealed scalars by name", async () => {
  const path = join(await temporaryFolder(), "last.safetensors");
  await saveCheckpoint(path, shapes, { state, position }, "own");
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
