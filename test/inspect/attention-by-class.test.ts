import { describe, expect, it } from "vitest";
import { describeAttention } from "../../src/inspect/attention.js";
import { attentionByClass } from "../../src/inspect/attention-by-class.js";

const samples = Array.from({ length: 20 }, (_, i) =>
  i % 2 === 0 ? [0.9 - 0.01 * i, 0.1 + 0.01 * i] : [0.3, 0.7],
);
const reading = describeAttention({
  ...{ layer: "a", kind: "kernel", activation: "softmax", shape: [2], axis: 0, samples },
});
const truths = samples.map((_, i) => (i % 2 === 0 ? "cat" : "dog"));

describe("attention by class", () => {
  it("is the mean of each class, and tells classes apart", () => {
    const found = attentionByClass(reading, truths, ["dog", "cat", "bird"], 1)!;
    expect(found.classes.map(({ label, images }) => [label, images])).toEqual([
      ["dog", 10],
      ["cat", 10],
    ]);
    expect(found.classes[0]!.mean[0]).toBeCloseTo(0.3);
    expect(found.classes[1]!.mean[0]).toBeCloseTo(0.81);
    expect(found.p).toBe(0.001);
  });

  it("leaves out images whose class is unknown, and needs two classes", () => {
    expect(
      attentionByClass(
        reading,
        truths.map(() => undefined),
        ["dog", "cat"],
        1,
      ),
    ).toBeUndefined();
    expect(attentionByClass(reading, truths, ["cat"], 1)).toBeUndefined();
  });

  it("is the mean over sets where an image has several", () => {
    const sets = describeAttention({
      ...{ layer: "a", kind: "spatial", activation: "softmax", shape: [2, 2], axis: 0 },
      samples: [
        [0.8, 0.6, 0.2, 0.4],
        [0.1, 0.3, 0.9, 0.7],
      ],
    });
    const found = attentionByClass(sets, ["cat", "dog"], ["cat", "dog"], 1)!;
    expect(found.classes[0]!.mean[0]).toBeCloseTo(0.7);
    expect(found.classes[1]!.mean[1]).toBeCloseTo(0.8);
  });
});
