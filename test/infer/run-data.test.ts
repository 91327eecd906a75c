import { describe, expect, it } from "vitest";
import { generateShapes } from "../../src/data/index.js";
import { openRunData } from "../../src/infer/run-data.js";
import { parseTrainConfig } from "../../src/runs/config.js";

const SHAPES = generateShapes({ seed: 1 });
const { classes: CLASSES } = SHAPES.train;
const runOf = (classes: readonly string[]) => ({
  config: parseTrainConfig({ model: "alexnet", data: "shapes", seed: 1 }),
  task: "classification",
  classes,
  imageSize: 128,
});

describe("the data of a run", () => {
  it("is its own by default, or what is open already", async () => {
    const run = runOf(CLASSES);
    expect((await openRunData(run)).fingerprint).toBe(SHAPES.fingerprint);
    expect(await openRunData(run, SHAPES)).toBe(SHAPES);
  });

  it.each([
    ["fewer classes", CLASSES.slice(0, -1), `10, not 9; class 9 is "${CLASSES[9]}", not "nothing"`],
    ["more classes", [...CLASSES, "another"], `10, not 11; class 10 is "nothing", not "another"`],
    ["an order of their own", CLASSES.toReversed(), `class 0 is "${CLASSES[0]}", not "${CLASSES[9]}"`],
  ])("is refused where the run has %s", async (_, classes, difference) => {
    const opened = openRunData(runOf(classes), SHAPES);
    await expect(opened).rejects.toThrow("shapes has other classes than the run was trained on");
    await expect(opened).rejects.toThrow(difference);
  });
});
