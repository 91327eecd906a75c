import { describe, expect, it } from "vitest";
import { alexnet, alexnetDy } from "../../src/models/index.js";
import { parseTrainConfig, type TrainConfig, type TrainConfigInput } from "../../src/runs/config.js";
import { annealingSchedules, createOptimizer, learningRateSchedule } from "../../src/train/recipe.js";

const config = (values: Partial<TrainConfigInput> = {}) =>
  parseTrainConfig({ model: "alexnet-dy", ...values });

const temperatureOf = (values: TrainConfig) => annealingSchedules(values, alexnetDy()).temperature!;

describe("the published recipe", () => {
  it("is plain SGD at 0.1, a tenth of it from epochs 30, 60 and 90", () => {
    expect(createOptimizer(config())).toMatchObject({ name: "sgd", slots: [] });
    const rate = learningRateSchedule(config());
    const rates = [0, 29.99, 30, 60, 90, 99].map((epoch) => rate(epoch).toPrecision(3));
    expect(rates).toEqual(["0.100", "0.100", "0.0100", "0.00100", "0.000100", "0.000100"]);
  });

  it("takes 3 off the temperature at the end of each epoch", () => {
    const temperature = temperatureOf(config());
    expect([0, 0.99, 1, 9, 10, 50].map(temperature)).toEqual([30, 30, 27, 3, 1, 1]);
  });
});

describe("a model's recipe", () => {
  it("takes the place of the published one, value by value, and gives way to what is told", () => {
    const pose = { model: "pose-mobilenet-v2-dy", epochs: 3 };
    const found = parseTrainConfig({ ...pose, batchSize: undefined });
    expect(found).toMatchObject({ optimizer: "adam", schedule: "cosine", weightDecay: 0, epochs: 3 });
    expect([found.batchSize, found.labelSmoothing]).toEqual([32, 0.1]);
    expect(createOptimizer(found).name).toBe("adam");
  });
});

describe("a recipe of one's own", () => {
  it("has the temperature fall with every step", () => {
    const temperature = temperatureOf(config({ temperatureEvery: "step" }));
    expect([0, 0.5, 1, 9.5, 10].map(temperature)).toEqual([30, 28.5, 27, 1.5, 1]);
  });

  it("keeps the temperature where nothing is taken off", () => {
    const temperature = temperatureOf(config({ temperatureDecrement: 0 }));
    expect([0, 50].map(temperature)).toEqual([30, 30]);
  });

  it("takes from the layers what it does not configure of the temperature", () => {
    const temperature = temperatureOf(config({ temperature: 10 }));
    expect([0, 1, 2, 3].map(temperature)).toEqual([10, 7, 4, 1]);
  });

  it("has no temperature without softmax routing, and refuses to configure one", () => {
    const sigmoid = alexnetDy({ routing: "sigmoid" });
    for (const model of [alexnet(), sigmoid]) {
      expect(annealingSchedules(config(), model)).toEqual({});
      expect(() => annealingSchedules(config({ temperature: 10 }), model)).toThrow(/no routing temperature/);
    }
  });

  it("warms up, then follows half a cosine", () => {
    const rate = learningRateSchedule(config({ schedule: "cosine", warmUp: 2, epochs: 8, learningRate: 1 }));
    expect(rate(0)).toBe(0);
    expect(rate(1)).toBeCloseTo((0.5 * (1 + Math.cos(Math.PI / 8))) / 2);
    expect(rate(4)).toBeCloseTo(0.5);
    expect(rate(8)).toBeCloseTo(0);
  });

  it("keeps a constant rate", () => {
    const rate = learningRateSchedule(config({ schedule: "constant" }));
    expect([0, 50, 99].map(rate)).toEqual([0.1, 0.1, 0.1]);
  });

  it.each([
    [{ momentum: 0.9 }, "sgd", ["momentum"]],
    [{ optimizer: "adam" }, "adam", ["mean", "variance"]],
    [{ optimizer: "adamw" }, "adamw", ["mean", "variance"]],
  ] as const)("makes the optimizer of %j", (values, name, slots) => {
    expect(createOptimizer(config(values))).toMatchObject({ name, slots });
  });

  it("refuses what an optimizer does not take", () => {
    expect(() => createOptimizer(config({ optimizer: "adam", momentum: 0.9 }))).toThrow(/neither momentum/);
    expect(() => createOptimizer(config({ nesterov: true }))).toThrow(/momentum above 0/);
  });
});
