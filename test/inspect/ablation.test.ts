import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Samples } from "../../src/infer/samples.js";
import { type AblationRow, ablateAttention, verdictOf } from "../../src/inspect/ablation.js";
import { REPLACEMENTS, replacedAttention } from "../../src/inspect/replaced-attention.js";
import { constant } from "../../src/ops/index.js";
import { parseTrainConfig } from "../../src/runs/config.js";
import { type OpenRun, openRun } from "../../src/runs/open-run.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { train } from "../../src/train/trainer.js";
import { writeImageData } from "../runs/image-data.js";

describe("replaced attention", () => {
  const place = { layer: "features.8", kind: "kernel" };
  const values = [0.7, 0.2, 0.1, 0.1, 0.3, 0.6];
  const expected = {
    own: values,
    uniform: [1, 1, 1, 1, 1, 1].map((value) => value / 3),
    mean: [0.4, 0.25, 0.35, 0.4, 0.25, 0.35],
    "another-image": [0.1, 0.3, 0.6, 0.7, 0.2, 0.1],
    strongest: [1, 0, 0, 0, 0, 1],
  };

  async function replaced(index: number, kind = "kernel"): Promise<number[]> {
    const choice = Float32Array.from({ length: 1 + REPLACEMENTS.length }, (_, i) => Number(i === index));
    const run = await compile(
      (x) =>
        replacedAttention(
          { ...place, kind },
          { values: x, activation: "softmax", axis: 1 },
          constant(choice, [choice.length]),
          () => Float32Array.of(0.4, 0.25, 0.35),
        ),
      [spec([2, 3])],
    );
    const result = await run(Float32Array.from(values));
    await run.dispose();
    return Array.from(result as Float32Array);
  }

  const expectClose = (found: readonly number[], wanted: readonly number[]) => {
    for (const [i, value] of found.entries()) expect(value).toBeCloseTo(wanted[i]!, 6);
  };

  it.each(Object.entries(expected).map(([name, values], i) => [name, i, values] as const))(
    "%s",
    async (_, index, wanted) => {
      expectClose(await replaced(index), wanted);
    },
  );

  it("leaves what mixes no kernels as it is where only the strongest would be kept", async () => {
    expectClose(await replaced(4, "filter"), values);
  });
});

describe("the verdict", () => {
  const row = (
    replacement: AblationRow["replacement"],
    low: number,
    high: number,
    p: number,
  ): AblationRow => ({
    ...{ layer: undefined, replacement, accuracy: 0.5, difference: (low + high) / 2 },
    ...{ interval: { low, high }, onlyFirst: 0, onlySecond: 0, p },
  });

  it.each([
    ["matters", [row("mean", -0.08, -0.03, 0.001), row("another-image", -0.1, -0.04, 0.001)]],
    ["does-not-matter", [row("mean", -0.003, 0.002, 0.6), row("another-image", -0.004, 0.004, 0.9)]],
    ["undecided", [row("mean", -0.03, 0.02, 0.6), row("another-image", -0.004, 0.004, 0.9)]],
    ["does-not-matter", [row("mean", 0, 0, 1), row("another-image", 0, 0, 1), row("uniform", -0.3, -0.2, 0)]],
  ] as const)("%s", (verdict, rows) => expect(verdictOf(rows)).toBe(verdict));
});

describe("the ablation of a run", () => {
  let folder: string;
  let run: OpenRun;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "dyconv-"));
    const data = await writeImageData(join(folder, "data"));
    const config = parseTrainConfig({ model: "alexnet-dy", data, batchSize: 8, maxSteps: 1, threads: 2 });
    await train(config, { out: folder });
    run = await openRun(folder);
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("has each layer and all of them with every replacement", async () => {
    const { testSamples } = await import("../../src/infer/samples.js");
    const samples = await testSamples(run, 2);
    const { images, rows, accuracy } = await ablateAttention(run, samples, { threads: 2 });
    expect(images).toBe(2);
    expect(accuracy).toBeGreaterThanOrEqual(0);
    expect(rows).toHaveLength(4 * REPLACEMENTS.length);
    expect(rows.slice(-4).every(({ layer }) => layer === undefined)).toBe(true);
    for (const { accuracy: left, difference } of rows) expect(left - accuracy).toBeCloseTo(difference);
  }, 60_000);

  it("needs the classes of the images", async () => {
    const samples: Samples = {
      ...{ images: new Uint8Array(3 * 4), height: 2, width: 2, names: ["a.png"], truths: [undefined] },
    };
    await expect(ablateAttention(run, samples)).rejects.toThrow("only on images whose class is known");
  });
});
