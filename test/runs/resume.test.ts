import { describe, expect, it } from "vitest";
import type { Position } from "../../src/runs/checkpoint.js";
import { parseTrainConfig, type TrainConfigInput } from "../../src/runs/config.js";
import type { RunDescription } from "../../src/runs/description.js";
import { assertWrittenBy } from "../../src/runs/history.js";
import { assertSameClasses, assertSameRun, firstHistory, resumeRun } from "../../src/runs/resume.js";

const config = (values: Partial<TrainConfigInput> = {}) =>
  parseTrainConfig({ model: "alexnet-dy", data: "shapes", epochs: 8, ...values });

async function description(
  values: Partial<TrainConfigInput> = {},
  others: Partial<RunDescription> = {},
): Promise<RunDescription> {
  const made: RunDescription = {
    config: config(values),
    task: "classification",
    classes: ["cat", "dog"],
    dataFingerprint: "images",
    dataNote: undefined,
    versions: { dyconv: "0.1.0" },
    history: [],
    ...others,
  };
  return { ...made, history: await firstHistory(made) };
}

const BEGUN = await description();
const POSITION: Position = {
  ...{ epoch: 3, batch: 0, step: 30, annealed: { temperature: 21 }, lossSum: 0, measured: 0 },
  ...{ best: 0.5, bestEpoch: 2 },
};
const WITHIN: Position = { ...POSITION, batch: 4, step: 34, lossSum: 9, measured: 5 };
const FIRST_EPOCH: Position = { ...WITHIN, epoch: 0, best: -1, bestEpoch: 0 };

describe("a resumed run", () => {
  it("that is told nothing new goes on as it was", async () => {
    const {
      notes,
      position,
      description: resumed,
    } = await resumeRun("run", BEGUN, await description(), WITHIN);
    expect({ notes, position }).toEqual({ notes: [], position: WITHIN });
    expect(resumed.history).toEqual(BEGUN.history);
    const stopped = await resumeRun("run", BEGUN, await description({ maxSteps: 40 }), WITHIN);
    expect(stopped.notes).toEqual([]);
  });

  it("says what changes and keeps it in its history", async () => {
    const now = await description({ learningRate: 0.2, epochs: 9, threads: 2 });
    const { notes, description: resumed } = await resumeRun("run", BEGUN, now, POSITION);
    expect(notes).toEqual(["from step 30 on: epochs 8 → 9, learningRate 0.1 → 0.2, threads unset → 2"]);
    expect(resumed.history).toHaveLength(2);
    expect(resumed.history[1]).toMatchObject({
      epoch: 3,
      step: 30,
      changes: { epochs: { from: 8, to: 9 }, learningRate: { from: 0.1, to: 0.2 }, threads: { to: 2 } },
    });
  });

  it("says that other versions compute it", async () => {
    const now = await description({}, { versions: { dyconv: "0.2.0" } });
    expect((await resumeRun("run", BEGUN, now, POSITION)).notes).toEqual([
      "versions changed since the run began, and results may differ: dyconv 0.1.0 → 0.2.0",
    ]);
  });

  it.each([
    [{ batchSize: 16 }, {}],
    [{ limitTrain: 100 }, {}],
    [{ valSplit: 0.1 }, {}],
    [{}, { dataFingerprint: "others" }],
  ])("begins the epoch under way anew where its batches change: %j %j", async (values, others) => {
    const { position, notes } = await resumeRun("run", BEGUN, await description(values, others), FIRST_EPOCH);
    expect(position).toEqual({ ...FIRST_EPOCH, batch: 0, lossSum: 0, measured: 0 });
    expect(notes.at(-1)).toBe("epoch 1 starts over, since its batches hold other images");
    const kept = await resumeRun("run", BEGUN, await description({ learningRate: 0.2 }), FIRST_EPOCH);
    expect(kept.position).toEqual(FIRST_EPOCH);
  });

  it.each([
    [{ valSplit: 0.1 }, {}, "valSplit 0 → 0.1"],
    [{ limitVal: 100 }, {}, "limitVal unset → 100"],
    [{}, { dataFingerprint: "others" }, "images images → others"],
  ])("keeps no best that was measured on other images: %j %j", async (values, others, change) => {
    const now = await description(values, others);
    const resumed = resumeRun("run", BEGUN, now, POSITION);
    await expect(resumed).rejects.toThrow(`run cannot continue with ${change}`);
    await expect(resumed).rejects.toThrow(
      expect.objectContaining({ hint: expect.stringContaining("--init run/checkpoints") }),
    );
  });

  it("keeps its classes, and its task", async () => {
    const others = { ...BEGUN, classes: ["dog", "cat"] };
    expect(() => assertSameClasses(BEGUN, others, "shapes")).toThrow(
      'shapes has other classes than the run was trained on: 2, not 2; class 0 is "dog", not "cat"',
    );
    expect(() => assertSameClasses(BEGUN, { ...BEGUN, task: "regression" }, "shapes")).toThrow(
      "shapes is for regression; the run was trained for classification",
    );
  });

  it("asks for no fewer epochs than are done", async () => {
    await expect(resumeRun("run", BEGUN, await description({ epochs: 2 }), POSITION)).rejects.toThrow(
      "run has done 3 epochs, more than 2",
    );
  });

  it.each([
    [{ model: "alexnet" }, "model alexnet-dy → alexnet"],
    [{ modelOptions: { experts: 4 } }, "experts 2 → 4"],
    [{ modelOptions: { routing: "sigmoid" } }, "routing softmax → sigmoid"],
    [{ seed: 1 }, "seed 42 → 1"],
    [{ optimizer: "adam" }, "optimizer sgd → adam"],
    [{ momentum: 0.9 }, "momentum 0 → 0.9"],
  ] as const)("is no other run: %j", async (values, change) => {
    expect(() => assertSameRun("run", config(), config(values))).toThrow(
      `run cannot continue with ${change}`,
    );
    expect(() =>
      assertSameRun("run", config(), config({ modelOptions: { plan: "aggregate" } })),
    ).not.toThrow();
  });
});

describe("the identity of a run", () => {
  const idOf = ({ history }: RunDescription) => history.at(-1)!.id;

  it("is the same for what ends in the same bytes, and no other", async () => {
    expect(idOf(await description({ maxSteps: 1, checkpointEvery: 1, data: "elsewhere" }))).toBe(idOf(BEGUN));
    const others = [
      await description({ seed: 1 }),
      await description({ learningRate: 0.2 }),
      await description({}, { dataFingerprint: "others" }),
      await description({}, { versions: { dyconv: "0.2.0" } }),
    ];
    expect(new Set([BEGUN, ...others].map(idOf)).size).toBe(5);
    expect((await firstHistory(BEGUN, "weights"))[0]!.id).not.toBe(idOf(BEGUN));
  });

  it("tells whose a checkpoint is, also after a change", async () => {
    const { description: changed } = await resumeRun(
      "run",
      BEGUN,
      await description({ learningRate: 0.2 }),
      POSITION,
    );
    const { history } = changed;
    expect(() => assertWrittenBy(history, { id: idOf(BEGUN), step: 30 }, "best")).not.toThrow();
    expect(() => assertWrittenBy(history, { id: idOf(changed), step: 40 }, "best")).not.toThrow();
    const another = /best was written by another run/;
    expect(() => assertWrittenBy(history, { id: idOf(BEGUN), step: 40 }, "best")).toThrow(another);
    expect(() => assertWrittenBy(history, { id: "x", step: 1 }, "best")).toThrow(another);
    expect(() => assertWrittenBy(history, { id: undefined, step: 1 }, "best")).toThrow(another);
  });

  it("is not asked of what the first version wrote", async () => {
    const old = { ...BEGUN, history: [] };
    expect(() => assertWrittenBy([], { id: undefined, step: 7 }, "best")).not.toThrow();
    const { history } = (await resumeRun("run", old, await description(), POSITION)).description;
    expect(history).toHaveLength(1);
    expect(() => assertWrittenBy(history, { id: undefined, step: 20 }, "best")).not.toThrow();
    expect(() => assertWrittenBy(history, { id: undefined, step: 40 }, "best")).toThrow(/another run/);
  });
});
