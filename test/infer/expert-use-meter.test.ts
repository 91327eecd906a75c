import { expect, it } from "vitest";
import { ExpertUseMeter } from "../../src/infer/expert-use-meter.js";
import { describeAttention } from "../../src/inspect/attention.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";

it("agrees with the reading of attention, image by image, but for a batch that is filled up", async () => {
  const [images, sets, experts] = [3, 2, 4];
  const values = Float32Array.from({ length: images * sets * experts }, (_, i) => Math.sin(3 * i) - 0.1);
  values.fill(0, 0, 4);
  const attention = { activation: "other", axis: 2 } as const;
  const meter = new ExpertUseMeter();
  const run = await compile(
    (x, gate) =>
      meter.tensors({ conv: { cell: { ...attention, values: x }, filter: { ...attention, values: gate } } }),
    [spec([2, sets, experts]), spec([2, 1, 3])],
  );
  const row = sets * experts;
  for (const [start, count] of [
    [0, 2],
    [2, 1],
  ] as const) {
    const batch = new Float32Array(2 * row).fill(9);
    batch.set(values.subarray(start * row, (start + count) * row));
    meter.add(await run(batch, new Float32Array(6)), count);
  }
  await run.dispose();

  const samples = [0, 1, 2].map((i) => Array.from(values.subarray(i * row, (i + 1) * row)));
  // Weights that are all 0 have no shares; the meter takes them for none.
  samples[0]!.splice(0, 4, 0, 0, 0, 0);
  const known = {
    layer: "conv",
    kind: "cell",
    activation: "other",
    shape: [sets, experts],
    axis: 1,
  } as const;
  const reading = describeAttention({ ...known, samples: samples.slice(1) });
  const [use] = meter.result();
  expect(meter.result()).toHaveLength(1);
  expect(use).toMatchObject({ layer: "conv", kind: "cell" });
  expect(use!.use.reduce((sum, share) => sum + share, 0)).toBeCloseTo(5 / 6, 3);
  const first = describeAttention({ ...known, shape: [1, experts], samples: [samples[0]!.slice(4)] });
  expect(use!.entropy).toBeCloseTo((first.entropy / 2 + 2 * reading.entropy) / 3, 3);
});
