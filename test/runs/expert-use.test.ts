import { describe, expect, it } from "vitest";
import { type ExpertUse, expertWarnings, type UsedEpoch } from "../../src/runs/expert-use.js";

const REST = { temperature: 1 };

function epoch(layer: Partial<ExpertUse> = {}, temperature = 1): UsedEpoch {
  const use = { layer: "features.8", kind: "kernel", entropy: 0.7, spread: 0.1, use: [0.6, 0.4] };
  return { annealed: { temperature }, experts: [{ ...use, ...layer }] };
}

const sentences = (epochs: readonly UsedEpoch[], finished = false) =>
  expertWarnings(epochs, REST, finished).map(({ sentence }) => sentence);

describe("experts", () => {
  const lonely = { use: [0.97, 0.03], entropy: 0.19 };
  const uniform = { use: [0.5, 0.5], entropy: 0.9995 };

  it("that all have a part give no warning", () => {
    expect(sentences([epoch(), epoch(), epoch()], true)).toEqual([]);
  });

  it("that nobody uses for three epochs are named, with their part", () => {
    expect(sentences([epoch(), epoch(lonely), epoch(lonely)])).toEqual([]);
    expect(sentences([epoch(lonely), epoch(lonely), epoch({ ...lonely, use: [0.98, 0.02] })])).toEqual([
      "features.8: nobody uses expert 2 of 2 (2.00 % of the attention; an even share is 50 %)",
    ]);
  });

  it("are those that were unused in each of the epochs", () => {
    const warehouse = (use: readonly number[]) => epoch({ kind: "cell", use });
    const epochs = [
      warehouse([0.5, 0.01, 0.01, 0.48]),
      warehouse([0.96, 0.01, 0.01, 0.02]),
      warehouse([0.96, 0.01, 0.02, 0.01]),
    ];
    expect(sentences(epochs)).toEqual([
      "features.8 cell: nobody uses 2 of 4 experts: 2, 3 (at most 2.00 % of the attention each; an even share is 25 %)",
    ]);
  });

  it("that are mixed evenly for every image make the attention stuck", () => {
    expect(sentences([epoch(uniform), epoch(uniform), epoch(uniform)])).toEqual([
      expect.stringMatching(/^features\.8: attention is stuck at uniform \(entropy 0\.9995 of 1\)/),
    ]);
  });

  it("are given time while the temperature falls", () => {
    const warm = [epoch(uniform, 30), epoch(uniform, 4), epoch(uniform)];
    expect(sentences(warm)).toEqual([]);
    expect(sentences([...warm, epoch(uniform), epoch(uniform)])).toHaveLength(1);
  });

  it("are judged by the last epoch of a finished run, if the temperature is at rest", () => {
    expect(sentences([epoch(uniform)], true)).toHaveLength(1);
    expect(sentences([epoch(uniform, 4)], true)).toEqual([]);
  });

  it("of early runs were not recorded", () => {
    const bare = { annealed: { temperature: 1 } };
    expect(sentences([bare, bare, bare], true)).toEqual([]);
    expect(sentences([bare, epoch(uniform), epoch(uniform)])).toEqual([]);
  });

  it("cannot be unused where there is one", () => {
    expect(sentences([epoch({ use: [1], entropy: 1 })], true)).toEqual([]);
  });
});
