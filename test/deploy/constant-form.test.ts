import { describe, expect, it } from "vitest";
import { type ExportRunOptions, exportRun } from "../../src/deploy/export-run.js";
import type { Tensor } from "../../src/ir/index.js";
import type { DynamicLayer } from "../../src/models/index.js";
import {
  AdaptiveAvgPool2d,
  CondConv2d,
  Conv2d,
  DCDConv2d,
  DCDLinear,
  DynamicConv2d,
  FDConv2d,
  Flatten,
  type ForwardContext,
  KernelWarehouse,
  Linear,
  Module,
  ODConv2d,
  Sequential,
} from "../../src/nn/index.js";
import { conv2d, mul, tanh } from "../../src/ops/index.js";
import { openOnnx } from "../../src/runtime/index.js";
import { computedConvolutions } from "../../src/ship/index.js";
import { RandomStream } from "../../src/util/random.js";
import { smallRun } from "./small-run.js";

const RUNTIME = { threads: 1 };
const WIDTH = 16;

/** Layers between a stem and a classifier. */
const network = (...layers: readonly Module[]) =>
  new Sequential(
    new Conv2d(3, WIDTH, 3, { padding: 1 }),
    ...layers,
    new AdaptiveAvgPool2d(),
    new Flatten(),
    new Linear(WIDTH, 10),
  );

/** A network with each layer that `--dynamic` takes, and with what it takes only beside others. */
const NETWORKS: Readonly<Record<DynamicLayer, () => Module>> = {
  dyconv: () =>
    network(
      new DynamicConv2d(WIDTH, WIDTH, 3, { padding: 1, groups: 2 }),
      new DynamicConv2d(WIDTH, WIDTH, 1, { branch: "port" }),
    ),
  condconv: () => network(new CondConv2d(WIDTH, WIDTH, 3, { padding: 1, experts: 3 })),
  odconv: () => network(new ODConv2d(WIDTH, WIDTH, 3, { padding: 1, experts: 3 })),
  dcd: () =>
    new Sequential(
      new DCDConv2d(3, WIDTH, 3, { padding: 1 }),
      new DCDConv2d(WIDTH, WIDTH, 3, { padding: 1, stride: 2 }),
      new AdaptiveAvgPool2d(),
      new Flatten(),
      new DCDLinear(WIDTH, 10),
    ),
  "kernel-warehouse": () => {
    const layer = { inChannels: WIDTH, outChannels: WIDTH, kernelSize: 3, padding: 1 };
    const warehouse = new KernelWarehouse([layer, layer]);
    return network(warehouse.layer(0), warehouse.layer(1));
  },
  fdconv: () => network(new FDConv2d(WIDTH, WIDTH, 3, { padding: 1, frequencyGroups: 16 })),
};

/** A run whose attention differs between images: noise moves it away from where it begins. */
function noisyRun(model: Module) {
  const random = new RandomStream(3, "constant form");
  const run = smallRun(model);
  const state = Object.fromEntries(
    Object.entries(run.state).map(([name, values]) => [
      name,
      name.includes("running") ? values : values.map((value) => value + 0.1 * random.normal()),
    ]),
  );
  return { ...run, state };
}

describe("the constant form", () => {
  it.each(Object.entries(NETWORKS))(
    "of %s has no computed convolution and gives what the assembled form gives",
    async (_, make) => {
      const run = noisyRun(make());
      const exported = (options: ExportRunOptions) => exportRun(run, { ...RUNTIME, ...options });
      const constant = await exported({ form: "constant" });
      const open = await exported({ form: "assembled" });
      expect(computedConvolutions(constant.bytes)).toEqual([]);
      const random = new RandomStream(5, "images");
      const logitsOf = async (bytes: Uint8Array, data: Float32Array) => {
        const model = await openOnnx(bytes, RUNTIME);
        const { logits } = await model.run({
          pixel_values: { dtype: "float32", shape: [data.length / 192, 3, 8, 8], data },
        });
        await model.dispose();
        return logits!.data;
      };
      for (const batch of [1, 3, 64]) {
        const x = Float32Array.from({ length: batch * 192 }, () => random.normal());
        const expected = await logitsOf(constant.bytes, x);
        const { bytes: fixed } = await exported({ form: "assembled", fixedBatch: batch });
        expect(expected.length).toBe(batch * 10);
        for (const assembled of [open.bytes, fixed]) {
          const found = await logitsOf(assembled, x);
          const distances = expected.map((value, i) => Math.abs(value - found[i]!));
          expect(Math.max(...distances)).toBeLessThan(1e-4);
        }
      }
    },
  );

  it("is refused, by name, of a layer that computes its own weight; auto takes the other form", async () => {
    const run = smallRun(network(new Bounded()));
    await expect(exportRun(run, { ...RUNTIME, form: "constant" })).rejects.toMatchObject({
      name: "UsageError",
      message: "there is no constant form: the weight of a convolution is computed in 1 (Bounded)",
      hint: expect.stringContaining('take the form "assembled"'),
    });
    const { form, times, bytes } = await exportRun(run, RUNTIME);
    expect([form, times, computedConvolutions(bytes)]).toEqual(["assembled", [], ["1/Conv"]]);
  });
});

/** A layer that convolves with a kernel computed from its parameters. */
class Bounded extends Module {
  readonly weight = new Conv2d(WIDTH, WIDTH, 1).weight;
  readonly gain = new Conv2d(WIDTH, WIDTH, 1).weight;

  forward(x: Tensor, context: ForwardContext): Tensor {
    return conv2d(x, mul(tanh(context.read(this.weight)), context.read(this.gain)));
  }
}
