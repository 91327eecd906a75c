import { describe, expect, it } from "vitest";
import { generateShapes } from "../../src/data/index.js";
import { collapseRun, compareLatency, exportCollapse } from "../../src/inspect/collapse.js";
import { CollapsedNetwork, findMeanKernels } from "../../src/inspect/collapsed-network.js";
import type { MeanAttention } from "../../src/inspect/replaced-attention.js";
import {
  AdaptiveAvgPool2d,
  applyModel,
  BatchNorm2d,
  CondConv2d,
  Conv2d,
  DynamicConv2d,
  DynamicLinear,
  Flatten,
  FrequencyDynamicConv2d,
  freeze,
  initialState,
  KernelWarehouse,
  Linear,
  type Module,
  ODConv2d,
  ReLU,
  Sequential,
} from "../../src/nn/index.js";
import { add, constant, mul } from "../../src/ops/index.js";
import { parseTrainConfig } from "../../src/runs/config.js";
import type { OpenRun } from "../../src/runs/open-run.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { RandomStream } from "../../src/util/random.js";
import { elementCount, staticShape } from "../../src/util/shape.js";

const SIZE = 8;
const RUNTIME = { threads: 1 };

/** Mean attention made up from the place: any will do. */
function meansFor(model: Module): MeanAttention {
  const shapes = new Map<string, readonly number[]>();
  const state = freeze(model, initialState(model, 1));
  applyModel(model, state, constant(new Float32Array(3 * SIZE ** 2), [1, 3, SIZE, SIZE]), {
    replaceAttention: ({ layer, kind }, { values }) => {
      shapes.set(`${layer} ${kind}`, staticShape(values.shape, "attention").slice(1));
      return values;
    },
  });
  return ({ layer, kind }) => {
    const random = new RandomStream(3, `${layer} ${kind}`);
    const size = elementCount(shapes.get(`${layer} ${kind}`)!);
    return Float32Array.from({ length: size }, () => random.uniform());
  };
}

const networkOf = (...layers: readonly Module[]) =>
  new Sequential(
    new Conv2d(3, 4, 3, { padding: 1 }),
    ...layers,
    new ReLU(),
    new AdaptiveAvgPool2d(),
    new Flatten(),
    new Linear(8, 3),
  );

const warehouse = new KernelWarehouse([
  { inChannels: 4, outChannels: 8, kernelSize: 3, padding: 1 },
  { inChannels: 8, outChannels: 8, kernelSize: 3, padding: 1 },
]);

const networks: Readonly<Record<string, Module>> = {
  DynamicConv2d: networkOf(
    new DynamicConv2d(4, 8, 3, { padding: 1, experts: 3, groups: 2 }),
    new BatchNorm2d(8),
    new ReLU(),
    new DynamicConv2d(8, 8, 1, { experts: 2, bias: false }),
  ),
  CondConv2d: networkOf(new CondConv2d(4, 8, 3, { experts: 3, stride: 2 })),
  DynamicLinear: new Sequential(new Flatten(), new DynamicLinear(3 * SIZE ** 2, 3)),
  KernelWarehouse: networkOf(warehouse.layer(0), new BatchNorm2d(8), new ReLU(), warehouse.layer(1)),
};

describe("a collapsed network", () => {
  it.each(Object.keys(networks))(
    "of %s gives what the mean attention gives, with constant weights",
    async (name) => {
      const model = networks[name]!;
      const meanOf = meansFor(model);
      const state = initialState(model, 1);
      const annealed = Object.fromEntries(model.annealedScalars().map(({ name, rest }) => [name, rest]));
      const kernels = await findMeanKernels(model, state, meanOf, { imageSize: SIZE, annealed, ...RUNTIME });
      const collapsed = new CollapsedNetwork(model, meanOf, kernels);
      const run = await compile(
        (x) => {
          const expected = applyModel(model, freeze(model, state), x, {
            replaceAttention: (place, { values }) => {
              const shape = staticShape(values.shape, "attention").slice(1);
              return add(mul(values, 0), constant(meanOf(place), [1, ...shape]));
            },
          });
          const own = applyModel(collapsed, freeze(collapsed, collapsed.stateFrom(state)), x);
          return { expected: expected.output, own: own.output };
        },
        [spec([2, 3, SIZE, SIZE])],
        RUNTIME,
      );
      const random = new RandomStream(5, "images");
      const { expected, own } = await run(
        Float32Array.from({ length: 6 * SIZE ** 2 }, () => random.uniform()),
      );
      await run.dispose();
      for (const [i, value] of (own as Float32Array).entries())
        expect(value).toBeCloseTo(expected[i] as number, 4);
    },
  );

  it.each([
    ["a product of attentions", new ODConv2d(4, 8, 3, { padding: 1 }), /1 \(channel, filter, spatial\)/],
    [
      "a kernel for each frequency",
      new FrequencyDynamicConv2d(4, 8, 3, { padding: 1 }),
      /not the kernel of a 2-D.*: 1$/,
    ],
  ])("refuses by name %s", async (_, layer, message) => {
    const model = networkOf(layer);
    const meanOf = meansFor(model);
    const found = async () => {
      const state = initialState(model, 1);
      const annealed = Object.fromEntries(model.annealedScalars().map(({ name, rest }) => [name, rest]));
      const kernels = await findMeanKernels(model, state, meanOf, { imageSize: SIZE, annealed, ...RUNTIME });
      const collapsed = new CollapsedNetwork(model, meanOf, kernels);
      applyModel(
        collapsed,
        freeze(collapsed, collapsed.stateFrom(state)),
        constant(new Float32Array(3 * SIZE ** 2), [1, 3, SIZE, SIZE]),
      );
    };
    await expect(found()).rejects.toThrow(message);
  });
});

describe("a collapsed run", () => {
  const data = generateShapes({ train: 20, test: 30 });
  const runOf = (model: Module): OpenRun => ({
    ...{ model, state: initialState(model, 1), imageSize: SIZE, classes: data.test.classes, verified: true },
    config: parseTrainConfig({ model: "alexnet-dy", data: "shapes" }),
    annealed: Object.fromEntries(model.annealedScalars().map(({ name, rest }) => [name, rest])),
    ...{
      task: "classification",
      dataFingerprint: data.fingerprint,
      dataNote: data.note,
      versions: {},
      history: [],
    },
  });
  const head = (channels: number) => [new AdaptiveAvgPool2d(), new Flatten(), new Linear(channels, 10)];

  it("tells the accuracy before and after, is exported with an open batch, and timed", async () => {
    const model = new Sequential(
      new DynamicConv2d(3, 8, 3, { experts: 2, ratio: 1 }),
      new ReLU(),
      ...head(8),
    );
    const run = runOf(model);
    const found = await collapseRun(run, { data, ...RUNTIME });
    expect(found).toMatchObject({ convolutions: 1, averaged: 20, images: 30 });
    expect(found.after - found.before).toBeCloseTo(found.change.difference);
    const bytes = exportCollapse(found);
    expect(Buffer.from(bytes).toString("latin1")).toContain("mean kernels over 20 training images");
    expect(Buffer.from(bytes).toString("latin1")).not.toContain("routing");
    const latency = await compareLatency(run, found.run, 1, RUNTIME, 1);
    expect(latency.static).toBeGreaterThan(0);
  });

  it("must have attention", async () => {
    const run = runOf(new Sequential(new Conv2d(3, 8, 3), ...head(8)));
    await expect(collapseRun(run, { data, ...RUNTIME })).rejects.toThrow(/nothing to collapse/);
  });
});
