import { describe, expect, it } from "vitest";
import { describeAttention } from "../../src/inspect/attention.js";

describe("the attention of a layer", () => {
  it("is uniform where every expert has the same share", () => {
    const reading = describeAttention("a", [
      [0.25, 0.25, 0.25, 0.25],
      [0.25, 0.25, 0.25, 0.25],
    ]);
    expect(reading).toMatchObject({
      name: "a",
      state: "uniform",
      deviation: 0,
      mean: [0.25, 0.25, 0.25, 0.25],
    });
    expect(reading.entropy).toBeCloseTo(1);
  });

  it("is one-hot where each image uses one expert, be it another one", () => {
    const reading = describeAttention("a", [
      [1, 0],
      [0, 1],
    ]);
    expect(reading).toMatchObject({ state: "one-hot", entropy: 0, mean: [0.5, 0.5], deviation: 0.5 });
  });

  it("is mixed between the two, its entropy the mean over images", () => {
    const reading = describeAttention("a", [
      [0.5, 0.5],
      [1, 0],
    ]);
    expect(reading).toMatchObject({ state: "mixed", mean: [0.75, 0.25], deviation: 0.25 });
    expect(reading.entropy).toBeCloseTo(0.5);
  });

  it("is taken in parts of its sum where sigmoid routing made it", () => {
    const reading = describeAttention("a", [
      [0.9, 0.9],
      [0.1, 0.1],
    ]);
    expect(reading).toMatchObject({ state: "uniform", mean: [0.5, 0.5], deviation: 0 });
  });

  it("cannot be but uniform with one expert", () => {
    expect(describeAttention("a", [[1]])).toMatchObject({ state: "uniform", entropy: 1 });
  });
});
