import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { readCurves, writeCurves } from "../../src/compare/curves.js";
import { temporaryFolder } from "../files/folder.js";

const EPOCH = {
  ...{ kind: "epoch", trainLoss: 2.51, trainAccuracy: 0.2, valLoss: 2.3, valAccuracy: 0.25 },
  ...{ learningRate: 0.1, annealed: {}, imagesPerSecond: 100, outsideRunShare: 0.02 },
};

async function runWith(name: string, lines: readonly object[]): Promise<string> {
  const folder = join(await temporaryFolder(), name);
  await mkdir(folder);
  await writeFile(join(folder, "metrics.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return folder;
}

it("draws the training loss that was logged, not the mean of the steps that were kept", async () => {
  const steps = [2.4, 1.98].map((trainLoss, i) => ({
    kind: "step",
    step: 10 * (i + 1),
    epoch: 1,
    trainLoss,
  }));
  const { loss } = await readCurves([await runWith("a", [...steps, { ...EPOCH, epoch: 1, step: 25 }])]);
  expect(loss[0]!.points).toContainEqual({ epoch: 1, value: 2.51, set: "train" });
  expect(loss[0]!.trace!.map(({ epoch }) => epoch)).toEqual([0.4, 0.8]);
});

it("has curves of a run of fewer than ten steps", async () => {
  const { loss } = await readCurves([await runWith("a", [{ ...EPOCH, epoch: 1, step: 4 }])]);
  expect(loss[0]!.points.map(({ set }) => set)).toEqual(["train", "validation"]);
});

it("keeps a loss that is not finite as a gap", async () => {
  const { loss } = await readCurves([
    await runWith("a", [
      { ...EPOCH, epoch: 1, step: 4 },
      { ...EPOCH, epoch: 2, step: 8, trainLoss: Number.NaN, valLoss: Number.POSITIVE_INFINITY },
    ]),
  ]);
  expect(loss[0]!.points.filter(({ epoch }) => epoch === 2).map(({ value }) => value)).toEqual([
    Number.NaN,
    Number.NaN,
  ]);
});

it("writes into a folder that is not there yet, each run under a name of its own", async () => {
  const runs = [
    await runWith("run", [{ ...EPOCH, epoch: 1, step: 4 }]),
    await runWith("run", [{ ...EPOCH, epoch: 1, step: 4 }]),
  ];
  const { loss } = await readCurves(runs);
  expect(new Set(loss.map(({ name }) => name)).size).toBe(2);
  const folder = join(await temporaryFolder(), "not", "there");
  await writeCurves(runs, folder);
  expect((await readdir(folder)).sort()).toEqual([
    "curves-accuracy.png",
    "curves-accuracy.svg",
    "curves-loss.png",
    "curves-loss.svg",
  ]);
});

it("draws SVGs alone where sharp cannot be loaded", async () => {
  vi.doMock("sharp", () => {
    throw new Error("no binaries");
  });
  vi.resetModules();
  const { writeCurves: write } = await import("../../src/compare/curves.js");
  const { renderPng } = await import("../../src/report/drawing/render.js");
  const folder = join(await temporaryFolder(), "curves");
  await write([await runWith("run", [{ ...EPOCH, epoch: 1, step: 4 }])], folder);
  expect((await readdir(folder)).sort()).toEqual(["curves-accuracy.svg", "curves-loss.svg"]);
  await expect(renderPng("<svg/>")).rejects.toThrow("needs sharp");
  vi.doUnmock("sharp");
});
