import { describe, expect, it } from "vitest";
import { type AttentionValues, describeAttention } from "../../src/inspect/attention.js";
import type { AttentionActivation } from "../../src/nn/index.js";

/** Attention of kernels over as many images as there are rows. */
const kernels = (samples: number[][], activation: AttentionActivation = "softmax"): AttentionValues => ({
  ...{ layer: "a", kind: "kernel", activation },
  ...{ shape: [samples[0]!.length], axis: 0, samples },
});

describe("the attention of a layer", () => {
  it("is uniform where every expert has the same share", () => {
    const reading = describeAttention(
      kernels([
        [0.25, 0.25, 0.25, 0.25],
        [0.25, 0.25, 0.25, 0.25],
      ]),
    );
    expect(reading).toMatchObject({
      name: "a",
      state: "uniform",
      deviation: 0,
      mean: [0.25, 0.25, 0.25, 0.25],
    });
    expect(reading.entropy).toBeCloseTo(1);
  });

  it("is one-hot where each image uses one expert, be it another one", () => {
    const reading = describeAttention(
      kernels([
        [1, 0],
        [0, 1],
      ]),
    );
    expect(reading).toMatchObject({ state: "one-hot", entropy: 0, mean: [0.5, 0.5], deviation: 0.5 });
  });

  it("is mixed between the two, its entropy the mean over images", () => {
    const reading = describeAttention(
      kernels([
        [0.5, 0.5],
        [1, 0],
      ]),
    );
    expect(reading).toMatchObject({ state: "mixed", mean: [0.75, 0.25], deviation: 0.25 });
    expect(reading.entropy).toBeCloseTo(0.5);
  });

  it("is taken in parts of its sum where sigmoid routing made it", () => {
    const reading = describeAttention(
      kernels([
        [0.9, 0.9],
        [0.1, 0.1],
      ]),
    );
    expect(reading).toMatchObject({ state: "uniform", mean: [0.5, 0.5], deviation: 0 });
  });

  it("has negative weights taken by their size", () => {
    const reading = describeAttention(kernels([[-0.5, 0.5]], "other"));
    expect(reading).toMatchObject({ state: "uniform", mean: [-0.5, 0.5] });
  });

  it("is cut along the axis of the experts where an image has several sets of weights", () => {
    // Two experts on the first axis, three places on the second; the third place changes from image to image.
    const reading = describeAttention({
      ...{ layer: "a", kind: "spatial", activation: "softmax", shape: [2, 3], axis: 0 },
      samples: [
        [1, 0, 1, 0, 1, 0],
        [1, 0, 0, 0, 1, 1],
      ],
    });
    expect(reading).toMatchObject({ name: "a spatial", state: "one-hot", entropy: 0, mean: [0.5, 0.5] });
    expect(reading.deviation).toBeCloseTo(0.5 / 3);
  });

  it("cannot be but uniform with one expert", () => {
    expect(describeAttention(kernels([[1]]))).toMatchObject({ state: "uniform", entropy: 1 });
  });
});
