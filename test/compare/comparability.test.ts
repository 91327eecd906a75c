import { describe, expect, it } from "vitest";
import { cautionsOf, type NamedRun, repeatsPublished } from "../../src/compare/comparability.js";
import type { DatasetPair } from "../../src/data/index.js";
import { parseTrainConfig, type TrainConfigInput } from "../../src/runs/config.js";

function runOf(name: string, options: Partial<TrainConfigInput> = {}, fingerprint = "f"): NamedRun {
  const config = parseTrainConfig({ model: "alexnet", ...options });
  return { name, config, task: "classification", classes: ["a", "b"], dataFingerprint: fingerprint };
}

describe("runs are compared", () => {
  it("without a word where only their recipes differ", () => {
    expect(cautionsOf([runOf("a"), runOf("b", { learningRate: 0.01, seed: 7 })])).toEqual([]);
  });

  it("with a caution where their data differ", () => {
    expect(cautionsOf([runOf("a"), runOf("b", {}, "g"), runOf("c")])).toEqual([
      expect.stringContaining("a and b were trained and validated on different data"),
    ]);
  });

  it.each([
    [{ valSplit: 0.1 }, { valSplit: 0.2 }],
    [{ limitVal: 100 }, {}],
    [
      { valSplit: 0.1, seed: 1 },
      { valSplit: 0.1, seed: 2 },
    ],
  ])("with a caution where other images validated: %j, %j", (one, other) => {
    expect(cautionsOf([runOf("a", one), runOf("b", other)])[0]).toContain("validated on different images");
  });

  it("not at all where their classes differ", () => {
    const other = { ...runOf("b"), classes: ["b", "a"] };
    expect(() => cautionsOf([runOf("a"), other])).toThrow("a and b were trained on different classes");
  });
});

describe("what was published is beside", () => {
  const classes = "airplane automobile bird cat deer dog frog horse ship truck".split(" ");
  const dataOf = (train: number, test: number, names = classes) =>
    ({
      train: { length: train, classes: names },
      test: { length: test, classes: names },
    }) as unknown as DatasetPair;
  const cifar = dataOf(50_000, 10_000);

  it.each([["alexnet"], ["alexnet-dy"]])("%s by the published recipe, on all of CIFAR-10", (model) => {
    expect(repeatsPublished(runOf("a", { model, seed: 7, device: "wasm" }), cifar)).toBe(true);
  });

  it.each([
    ["fewer epochs", runOf("a", { epochs: 3 }), cifar],
    ["part of the images", runOf("a", { limitTrain: 100 }), cifar],
    ["an honest split", runOf("a", { valSplit: 0.1 }), cifar],
    ["a smaller archive", runOf("a"), dataOf(500, 100)],
    ["other classes", runOf("a"), dataOf(50_000, 10_000, ["a", "b"])],
    ["a model of one's own", { ...runOf("a"), config: { ...runOf("a").config, model: "mine" } }, cifar],
  ])("no run with %s", (_, run, data) => {
    expect(repeatsPublished(run, data)).toBe(false);
  });
});
