import { beforeAll, describe, expect, it } from "vitest";
import { exportOnnx } from "../../src/export/index.js";
import { gradients } from "../../src/grad/index.js";
import type { Tensor } from "../../src/ir/index.js";
import {
  applyModel,
  BatchNorm2d,
  Conv2d,
  crossEntropy,
  DynamicConv2d,
  Flatten,
  freeze,
  initialState,
  KernelWarehouse,
  Linear,
  MaxPool2d,
  ReLU,
  Sequential,
  stateSpecs,
} from "../../src/nn/index.js";
import { mul, scalar } from "../../src/ops/index.js";
import { REWRITE_NAMES, REWRITES, type RewriteName, rewriteForward } from "../../src/rewrite/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec, trace } from "../../src/trace/index.js";
import { count, randomArray } from "../contract/gradient-check.js";

const warehouse = new KernelWarehouse([{ inChannels: 16, outChannels: 16, kernelSize: 3, padding: 1 }], {
  plan: "aggregate",
});

/** A network in which every rewrite finds something to do. */
const model = new Sequential(
  new Conv2d(3, 16, 5, { stride: 2, padding: 2 }),
  new Conv2d(16, 16, 1),
  new BatchNorm2d(16),
  new ReLU(),
  new MaxPool2d(3, { stride: 2 }),
  new DynamicConv2d(16, 32, 3, { padding: 1, experts: 2, plan: "mix-outputs" }),
  new BatchNorm2d(32),
  new ReLU(),
  new DynamicConv2d(32, 16, 3, { padding: 1, experts: 3, plan: "mix-outputs" }),
  new BatchNorm2d(16),
  new ReLU(),
  warehouse.layer(0),
  new Conv2d(16, 24, 1),
  new MaxPool2d(3, { stride: 2 }),
  new Conv2d(24, 24, 3, { padding: 1 }),
  new Flatten(),
  new Linear(24, 10),
);

const LINEAR = "16.weight";
// Not a multiple of a block, and large enough for products at points.
const BATCH = 36;
const shape = [BATCH, 3, 20, 20];

function step(withoutRewrites: readonly RewriteName[]) {
  return (state: Readonly<Record<string, Tensor>>, x: Tensor, targets: Tensor) => {
    const applied = applyModel(model, state, x, { training: true });
    const { loss, buffers } = rewriteForward(
      { loss: crossEntropy(applied.output, targets), buffers: applied.state },
      withoutRewrites,
    );
    const gradient = gradients(loss, state);
    return { loss, buffers, gradient, step: mul(gradient[LINEAR]!, scalar(0.1)) };
  };
}

const inputs = [stateSpecs(model), spec(shape), spec([BATCH], "int64")] as const;

/** Weights of which some scales of batch normalisation are negative, and one is zero. */
const values = Object.fromEntries(
  Object.entries(initialState(model, 3)).map(([name, data]) => {
    const scale = /^[269]\.weight$/.test(name);
    return [name, scale ? randomArray(data.length, name).map((v, i) => (i === 0 ? 0 : v)) : data];
  }),
);

type Named = Readonly<Record<string, Float32Array>>;

async function results(withoutRewrites: readonly RewriteName[]): Promise<Named> {
  const fn = await compile(step(withoutRewrites), inputs, { withoutRewrites });
  const targets = BigInt64Array.from({ length: BATCH }, (_, i) => BigInt(i % 10));
  const { loss, buffers, gradient, step: change } = await fn(values, randomArray(count(shape), "x"), targets);
  await fn.dispose();
  const named = (prefix: string, arrays: object) =>
    Object.entries(arrays).map(([name, array]) => [`${prefix} ${name}`, array]);
  return Object.fromEntries([
    ["loss", loss],
    ["step", change],
    ...named("buffer", buffers),
    ...named("gradient", gradient),
  ]);
}

/** The logits of the network with its weights frozen into the graph. */
function evaluation(x: Tensor): Tensor {
  return applyModel(model, freeze(model, values), x).output;
}

async function logits(withoutRewrites: readonly RewriteName[]): Promise<Named> {
  const fn = await compile(evaluation, [spec(shape)], { withoutRewrites });
  const output = await fn(randomArray(count(shape), "x"));
  await fn.dispose();
  return { logits: output as Float32Array };
}

/** Both graphs as ONNX, with a rewrite left out. */
function models(withoutRewrites: readonly RewriteName[]): readonly Buffer[] {
  const options = { block: 16, withoutRewrites };
  return [
    exportOnnx(trace(step(withoutRewrites), inputs).graph, options),
    exportOnnx(trace(evaluation, [spec(shape)]).graph, options),
  ].map((model) => Buffer.from(model));
}

function expectClose(actual: Named, expected: Named): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, reference] of Object.entries(expected)) {
    // A bias before batch normalisation has no gradient but rounding errors, hence the floor.
    const scale = Math.max(1e-2, ...reference.map(Math.abs));
    const error = Math.max(...reference.map((value, i) => Math.abs(value - actual[name]![i]!))) / scale;
    expect(error, name).toBeLessThan(3e-5);
  }
}

const both = async (withoutRewrites: readonly RewriteName[]): Promise<Named> => ({
  ...(await results(withoutRewrites)),
  ...(await logits(withoutRewrites)),
});

describe("training and evaluation compute the same", () => {
  let [all, none]: Named[] = [];
  let every: readonly Buffer[];
  beforeAll(async () => {
    all = await both([]);
    none = await both(REWRITE_NAMES);
    every = models([]);
  });

  it("with all rewrites as with none", () => expectClose(all!, none!));

  for (const name of REWRITE_NAMES) {
    it(`with and without ${name}, which changes a graph`, async () => {
      const others = REWRITE_NAMES.filter((other) => other !== name);
      expectClose(await both([name]), all!);
      expectClose(await both(others), none!);
      const kinds = ["training", "evaluation"] as const;
      const changed = models([name]).flatMap((model, i) => (model.equals(every[i]!) ? [] : [kinds[i]!]));
      expect(changed).not.toEqual([]);
      const { graphs } = REWRITES.find((rule) => rule.name === name)!;
      expect(graphs).toEqual(expect.arrayContaining(changed));
    });
  }
});
