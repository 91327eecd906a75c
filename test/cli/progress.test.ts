import { describe, expect, it } from "vitest";
import { formatDuration, joinParts, wrapWords } from "../../src/cli/terminal/lines.js";
import { progressDisplay } from "../../src/cli/terminal/progress.js";
import { progressLine } from "../../src/cli/terminal/progress-line.js";
import { epochLine, startLines } from "../../src/cli/training/training-lines.js";
import { classification } from "../../src/tasks/index.js";
import type { RunStart } from "../../src/train/run-start.js";

const WIDTHS = [20, 40, 60, 80, 120];
const progress = {
  title: "epoch 100/100",
  done: 1234,
  total: 12_345,
  detail: "loss 2.2504",
  secondsLeft: 3723,
};

describe("progressLine", () => {
  it.each(WIDTHS)("fits into %i columns, and cuts nothing that it shows", (width) => {
    const line = progressLine(progress, width);
    expect(line.length).toBeLessThanOrEqual(width);
    expect(line).toContain("1234/12345");
    if (width >= 40) expect(line).toMatch(/ 1h02m left$/);
  });

  it("has a bar where there is room for one", () => {
    expect(progressLine(progress, 55)).not.toContain("[");
    expect(progressLine(progress, 80)).toMatch(
      /^epoch 100\/100 \[=+-+\] 1234\/12345 loss 2\.2504 1h02m left$/,
    );
    const half = progressLine({ title: "downloading", done: 5, total: 10, unit: "MB" }, 200);
    expect(half).toBe(`downloading [${"=".repeat(20)}${"-".repeat(20)}] 5/10 MB`);
  });
});

describe("progressDisplay", () => {
  function display(live: boolean) {
    const written: string[] = [];
    const keep = (text: string) => void written.push(text);
    const terminal = { width: 60, colour: false, live, out: keep, err: keep, draw: keep };
    let time = 0;
    const { step } = progressDisplay(terminal, { epochs: 2, now: () => time });
    for (let batch = 1; batch <= 100; batch++) {
      time += 1000;
      step({ epoch: 1, batch, batches: 100, loss: 2 });
    }
    return written;
  }

  it("draws on a screen", () => {
    const lines = display(true);
    expect(lines).toHaveLength(100);
    expect(lines[49]).toMatch(/50\/100 loss 2\.0000 50s left$/);
    for (const line of lines) expect(line.length).toBeLessThan(60);
  });

  it("writes a line now and then where there is none", () => {
    const lines = display(false);
    expect(lines).toEqual([
      "epoch 1/2 30/100 loss 2.0000 1m10s left\n",
      "epoch 1/2 60/100 loss 2.0000 40s left\n",
      "epoch 1/2 90/100 loss 2.0000 10s left\n",
    ]);
  });
});

const START: RunStart = {
  model: "alexnet-dy",
  task: classification(),
  parameters: 8_324_368,
  imageSize: 128,
  data: "cats\u001b[2J",
  classes: ["cat", "dog"],
  trainImages: 4037,
  validationImages: 1000,
  device: "cpu",
  threads: 1,
  epochs: 3,
  batchSize: 64,
  batches: 63,
  leftOut: 5,
  position: {
    ...{
      epoch: 1,
      batch: 7,
      step: 70,
      annealed: { temperature: 30 },
      lossSum: 0,
      measured: 0,
      best: 0,
      bestEpoch: 1,
    },
  },
  notices: ["images are resized to 130×130 pixels; 12 of 5037 are not square and are stretched"],
};

describe("the lines of a run", () => {
  it("say before it what it is about to do", () => {
    expect(startLines(START, Number.POSITIVE_INFINITY)).toEqual([
      "model    alexnet-dy, 8,324,368 parameters, images of 128×128",
      "images   4,037 to train, 1,000 to validate, of cats\\x1b[2J",
      "classes  2: cat, dog",
      "device   cpu, 1 thread",
      "epochs   3 of 63 steps of 64 images; 5 images do not fill a batch and are dropped, different ones each epoch",
      "resumes  in epoch 2, after 7 of its steps; 70 steps are done",
      "note     images are resized to 130×130 pixels; 12 of 5037 are not square and are stretched",
    ]);
  });

  it.each(WIDTHS.slice(1))("break between values at %i columns, never within one", (width) => {
    const metrics = {
      ...({
        kind: "epoch",
        epoch: 99,
        step: 6000,
        learningRate: 0.0001234,
        annealed: { temperature: 27 },
      } as const),
      ...{ trainLoss: 2.2504, trainMetrics: { accuracy: 0.1 }, valLoss: 2.1, valMetrics: { accuracy: 0.2 } },
      ...{ imagesPerSecond: 1234.5, outsideRunShare: 0 },
    };
    const line = epochLine(metrics, { task: classification(), epochs: 100 }, width);
    for (const part of line.split("\n")) expect(part.length).toBeLessThanOrEqual(width);
    expect(line.replace(/\n/g, "")).toContain("train loss 2.2504 acc 0.1000  val loss 2.1000 acc 0.2000");
    for (const text of startLines(START, width)) {
      for (const part of text.split("\n")) expect(part.length).toBeLessThanOrEqual(width);
    }
  });

  it("are made of parts, words and times", () => {
    expect(joinParts(["aa", "bb", "cc"], 6)).toBe("aa  bb\n  cc");
    expect(wrapWords("one two three", 8, "  ")).toBe("one two\n  three");
    expect([0, 59.6, 61, 3599, 7500].map(formatDuration)).toEqual([
      "0s",
      "1m00s",
      "1m01s",
      "59m59s",
      "2h05m",
    ]);
  });
});
