import { describe, expect, it } from "vitest";
import { generateShapes } from "../../src/data/index.js";
import type { Tensor } from "../../src/ir/index.js";
import { compile } from "../../src/runtime/index.js";
import { classification, createTask, regression, type Scored, type Task } from "../../src/tasks/index.js";
import { spec } from "../../src/trace/index.js";

const NO_SAMPLES: Scored = {
  dataset: generateShapes({ train: 1, test: 1, size: 8 }).test,
  indices: new Uint32Array(),
};

const PLACE = { dataset: NO_SAMPLES.dataset, index: 0 };

/** Loss of each sample, and the metrics of all, for outputs and targets. */
async function evaluated(
  task: Task,
  output: readonly (readonly number[])[],
  name: string,
  targets: BigInt64Array | Float32Array,
) {
  const shape = [output.length, output[0]!.length];
  const integer = targets instanceof BigInt64Array;
  const run = await compile(
    (out: Tensor, given: Tensor): Readonly<Record<string, Tensor>> => ({
      loss: task.loss(out, { [name]: given }),
      ...task.measure(out, { [name]: given }),
    }),
    [spec(shape), spec(integer ? [output.length] : shape, integer ? "int64" : "float32")],
  );
  const { loss, ...measured } = await run(Float32Array.from(output.flat()), targets);
  await run.dispose();
  return {
    loss: loss as Float32Array,
    metrics: task.score(measured as Record<string, Float32Array>, NO_SAMPLES),
  };
}

describe("a classification", () => {
  it("counts hits among one and five", async () => {
    const row = [0, 1, 2, 3, 4, 5, 6];
    const { loss, metrics } = await evaluated(
      classification(),
      [row, row],
      "targets",
      BigInt64Array.of(6n, 2n),
    );
    expect(metrics).toEqual({ accuracy: 0.5, top5: 1 });
    const log = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
    expect(loss[0]).toBeCloseTo(log - 6, 5);
    expect(loss[1]).toBeCloseTo(log - 2, 5);
  });

  it("tells the classes, most probable first", () => {
    const { caption, confidence, items } = classification().present(Float32Array.of(0.2, 0.7, 0.1), [
      "a",
      "b",
      "c",
    ]);
    expect([caption, items.map(({ label }) => label)]).toEqual(["b", ["b", "a", "c"]]);
    expect(confidence).toBeCloseTo(0.7, 6);
    expect(classification().truth({ targets: BigInt64Array.of(2n) }, ["a", "b", "c"], PLACE).caption).toBe(
      "c",
    );
  });
});

describe("a regression", () => {
  it("has the mean squared error as its loss, and tells mean and root mean square error", async () => {
    const targets = Float32Array.of(1, 1, 0, 0);
    const { loss, metrics } = await evaluated(
      regression(),
      [
        [1, 3],
        [0, -1],
      ],
      "values",
      targets,
    );
    expect([...loss]).toEqual([2, 0.5]);
    expect(metrics.mae).toBeCloseTo(0.75, 6);
    expect(metrics.rmse).toBeCloseTo(Math.sqrt(1.25), 6);
    expect(regression().metrics.mae!.better).toBe("lower");
  });

  it("marks values that are a point", () => {
    const { caption, items, marks } = regression().present(Float32Array.of(2, 0.25, 0.5), [
      "age",
      "eye.x",
      "eye.y",
    ]);
    expect(caption).toBe("2 0.25 0.5");
    expect(items[0]).toEqual({ label: "age", value: 2 });
    expect(marks).toEqual([{ points: [[0.25, 0.5]] }]);
  });
});

it("refuses a task that there is not", () => {
  expect(() => createTask("telepathy")).toThrow("no task");
});
