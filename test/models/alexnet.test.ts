import { describe, expect, it } from "vitest";
import { alexnet, alexnetDy, DYNAMIC_LAYERS, modelEntry } from "../../src/models/index.js";
import type { Module } from "../../src/nn/index.js";
import { count } from "../contract/gradient-check.js";

function parameterCount(model: Module, only: "all" | "trainable"): number {
  return model
    .namedParameters()
    .filter(([, { trainable }]) => only === "all" || trainable)
    .reduce((total, [, { shape }]) => total + count(shape), 0);
}

describe("parameter counts are those of the published experiment", () => {
  it("AlexNet", () => {
    expect(parameterCount(alexnet(), "all")).toBe(7_526_794);
    expect(parameterCount(alexnet(), "trainable")).toBe(7_525_418);
  });

  it("AlexNet-DY", () => {
    expect(parameterCount(alexnetDy(), "all")).toBe(8_324_368);
    expect(parameterCount(alexnetDy(), "trainable")).toBe(8_322_992);
  });
});

describe("state names", () => {
  it("follow the layers of AlexNet-DY, experts first in a dynamic weight", () => {
    const shapes = new Map(
      alexnetDy()
        .namedParameters()
        .map(([name, { shape }]) => [name, shape]),
    );
    const convolutions = ["0", "4"].flatMap((i) => [`features.${i}.weight`, `features.${i}.bias`]);
    const norms = ["1", "5", "9", "12", "15"].flatMap((i) =>
      ["weight", "bias", "running_mean", "running_var"].map((name) => `features.${i}.${name}`),
    );
    const dynamic = ["8", "11", "14"].flatMap((i) =>
      [
        "weight",
        "bias",
        "routing.net.0.weight",
        "routing.net.0.bias",
        "routing.net.2.weight",
        "routing.net.2.bias",
      ].map((name) => `features.${i}.${name}`),
    );
    const linear = ["0", "3", "6"].flatMap((i) => [`classifier.${i}.weight`, `classifier.${i}.bias`]);
    expect([...shapes.keys()].sort()).toEqual([...convolutions, ...norms, ...dynamic, ...linear].sort());
    expect(shapes.get("features.8.weight")).toEqual([2, 192, 128, 3, 3]);
    expect(shapes.get("features.8.bias")).toEqual([2, 192]);
    expect(shapes.get("features.8.routing.net.0.weight")).toEqual([32, 128, 1, 1]);
    expect(shapes.get("classifier.0.weight")).toEqual([2048, 1152]);
  });
});

describe("other dynamic layers", () => {
  it.each(DYNAMIC_LAYERS)("take the place of the last three convolutions: %s", (layer) => {
    const plain = new Set(
      alexnet()
        .namedParameters()
        .map(([name]) => name),
    );
    const added = alexnet({ dynamic: { layer } })
      .namedParameters()
      .filter(([name, { trainable }]) => trainable && !plain.has(name))
      .map(([name]) => name.split(".").slice(0, 2).join("."));
    const places = ["features.8", "features.11", "features.14"];
    const cells = layer === "kernel-warehouse" ? ["warehouses.stage2"] : [];
    expect([...new Set(added)].sort()).toEqual([...places, ...cells].sort());
  });

  it("leave the classifier static, which has hidden layers", () => {
    const names = alexnet({ dynamic: { layer: "dcd" } })
      .namedParameters()
      .map(([name]) => name)
      .filter((name) => name.startsWith("classifier"));
    expect(names).toEqual(["0", "3", "6"].flatMap((i) => [`classifier.${i}.weight`, `classifier.${i}.bias`]));
  });
});

describe("the registry", () => {
  it("names the models there are when asked for another", () => {
    expect(() => modelEntry("vgg")).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("alexnet-dy") }),
    );
  });
});
