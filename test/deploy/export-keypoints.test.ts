import { expect, it } from "vitest";
import { exportRun } from "../../src/deploy/export-run.js";
import { infer } from "../../src/infer/infer.js";
import { averageFlipped, flipPairsOf } from "../../src/keypoints/index.js";
import { PoseNet } from "../../src/models/index.js";
import { openOnnx } from "../../src/runtime/index.js";
import { RandomStream } from "../../src/util/random.js";
import { smallRun } from "./small-run.js";

it("an exported pose network gives the heatmaps of the run, in both forms", async () => {
  const [size, map] = [32, 8];
  const model = new PoseNet(
    "mobilenet-v2",
    { keypoints: 3, channels: 8, experts: 2 },
    { width: 0.1, outputStride: 16 },
  );
  const run = { ...smallRun(model, ["left_a", "right_a", "b"]), task: "keypoints", imageSize: size };
  // Larger than those that training begins with, which give next to nothing.
  const random = new RandomStream(1, "head");
  const head = run.state["final_layer.weight"]!;
  const state = { ...run.state, "final_layer.weight": Float32Array.from(head, () => random.normal()) };
  const images = Uint8Array.from({ length: 2 * 3 * size * size }, () => random.integer(256));
  const pixels = { images, height: size, width: size };
  const apply = infer({ ...run, state }, pixels, ({ output }) => ({ output }), { threads: 1 });
  const expected = (await apply).output.flatMap((map) => [...map]);
  const flipPairs = flipPairsOf(run.classes);
  const upright = Float32Array.from(images, (value) => value / 127.5 - 1);
  const turned = upright.map((_, i) => upright[i - 2 * (i % size) + size - 1]!);
  for (const form of ["constant", "assembled"] as const) {
    const { bytes } = await exportRun({ ...run, state }, { form, threads: 1 });
    const file = await openOnnx(bytes, { threads: 1 });
    const heatmaps = async (data: Float32Array) => {
      const shape = [2, 3, size, size];
      return (await file.run({ pixel_values: { dtype: "float32", shape, data } })).outputs!.data;
    };
    // The run's are those of the flip test.
    const shape = { keypoints: 3, size: [map, map] } as const;
    const found = averageFlipped(await heatmaps(upright), await heatmaps(turned), shape, { flipPairs });
    await file.dispose();
    expect(found.length).toBe(expected.length);
    const scale = Math.max(...expected.map(Math.abs));
    const distance = Math.max(...expected.map((value, i) => Math.abs(value - found[i]!)));
    expect(scale).toBeGreaterThan(0.01);
    expect(distance / scale).toBeLessThan(1e-4);
  }
});
