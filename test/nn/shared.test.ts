/** A module or parameter in several places is one: one state, one gradient, one update. */
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/grad/index.js";
import { summarize } from "../../src/inspect/summary.js";
import type { Tensor } from "../../src/ir/index.js";
import {
  AdaptiveAvgPool2d,
  applyModel,
  BatchNorm2d,
  Conv2d,
  Flatten,
  type ForwardContext,
  initialState,
  Linear,
  Module,
  onesInit,
  Parameter,
  ReLU,
  Sequential,
  stateShapes,
  stateSpecs,
  trainable,
} from "../../src/nn/index.js";
import { matmul, mul, sum, transpose } from "../../src/ops/index.js";
import { sgd, updateState } from "../../src/optim/index.js";
import { compile, compileStep } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { randomArray } from "../contract/gradient-check.js";

type Tensors = Readonly<Record<string, Tensor>>;
const IMAGES = [2, 3, 5, 5] as const;

/** A convolution and its norm called twice, and a matrix that encodes and decodes. */
function sharing(): Module {
  const [convolution, norm, relu] = [new Conv2d(3, 3, 3, { padding: 1 }), new BatchNorm2d(3), new ReLU()];
  class Tied extends Module {
    readonly encode = new Parameter([3, 2], (_, random) =>
      Float32Array.from({ length: 6 }, () => random.normal()),
    );
    readonly decode = this.encode;
    readonly scale = new Parameter([1], onesInit);
    forward(x: Tensor, context: ForwardContext): Tensor {
      const code = matmul(x, context.read(this.encode));
      return mul(matmul(code, transpose(context.read(this.decode), [1, 0])), context.read(this.scale));
    }
  }
  const twice = new Sequential(convolution, norm, relu, convolution, norm);
  return new Sequential(twice, twice, new AdaptiveAvgPool2d(), new Flatten(), new Tied());
}

describe("what is shared", () => {
  const model = sharing();
  const names = ["0.0.weight", "0.0.bias", "0.1.weight", "0.1.bias", "0.1.running_mean", "0.1.running_var"];

  it("has one state, under the first path", () => {
    expect(Object.keys(stateShapes(model))).toEqual([...names, "4.encode", "4.scale"]);
    expect(Object.keys(initialState(model, 1))).toEqual(Object.keys(stateShapes(model)));
    expect(model.namedModules().map(([path]) => path)).toEqual(["", "0", "0.0", "0.1", "0.2", "2", "3", "4"]);
  });

  it("is counted once, its multiply-adds as often as it is called", () => {
    const { layers, parameters, trainableParameters, multiplyAdds } = summarize(model, { imageSize: 5 });
    expect(parameters).toBe(81 + 3 + 12 + 6 + 1);
    expect(trainableParameters).toBe(parameters - 6);
    expect(layers.map(({ name }) => name)).toEqual(["0.0", "0.1", "0.2", "2", "3", "4"]);
    expect(layers.reduce((total, layer) => total + layer.parameters, 0)).toBe(parameters);
    expect(layers[0]).toMatchObject({
      inputShape: [3, 5, 5],
      outputShape: [3, 5, 5],
      multiplyAdds: 4 * 75 * 27,
    });
    expect(layers.reduce((total, layer) => total + layer.multiplyAdds, 0)).toBe(multiplyAdds);
  });

  it("has the gradient of all its uses: finite differences", async () => {
    const state = initialState(model, 2);
    const x = randomArray(150, "x");
    const fn = await compile(
      (state: Tensors, x: Tensor) => {
        const { output } = applyModel(model, state, x, { training: true });
        const loss = sum(mul(output, output));
        return { loss, gradient: gradients(loss, trainable(model, state)) };
      },
      [stateSpecs(model), spec(IMAGES)],
    );
    const { gradient } = await fn(state, x);
    const slopes = Object.entries(gradient).map(
      ([name, data]) => [name, Float32Array.from(data, Number)] as const,
    );
    const lossAt = async (name: string, at: number, by: number) => {
      const moved = Float32Array.from(state[name]!, (value, i) => value + (i === at ? by : 0));
      return Number((await fn({ ...state, [name]: moved }, x)).loss[0]);
    };
    const STEP = 2e-3;
    for (const [name, slope] of slopes) {
      const size = Math.max(...slope.map(Math.abs));
      for (const at of [0, slope.length - 1]) {
        const difference = ((await lossAt(name, at, STEP)) - (await lossAt(name, at, -STEP))) / (2 * STEP);
        expect(Math.abs(slope[at]! - difference), `${name}[${at}]`).toBeLessThan(0.02 * size + 2e-3);
      }
    }
    await fn.dispose();
  });

  it("is updated once by a step, and buffers by each call in turn", async () => {
    const step = await compileStep(
      (state, { x }) => {
        const { output, state: next } = applyModel(model, state, x, { training: true });
        const gradient = gradients(sum(mul(output, output)), trainable(model, state));
        return { state: updateState(sgd(), next, gradient, { learningRate: 0.1 }), results: gradient };
      },
      { state: stateSpecs(model), inputs: { x: spec(IMAGES) } },
      initialState(model, 2),
    );
    const before = initialState(model, 2);
    const gradient = await step.run({ x: randomArray(150, "x") });
    const after = await step.state();
    for (const name of ["0.0.weight", "4.encode"]) {
      const expected = before[name]!.map((value, i) => value - 0.1 * Number(gradient[name]![i]));
      expect(Math.max(...expected.map((value, i) => Math.abs(value - Number(after[name]![i]))))).toBeLessThan(
        1e-6,
      );
    }
    await step.dispose();
  });
});

it("a norm that is called twice takes both batches into its running statistics, the first one first", async () => {
  const norm = new BatchNorm2d(1, { momentum: 0.25 });
  class Shifted extends Module {
    readonly norm = norm;
    forward(x: Tensor, context: ForwardContext): Tensor {
      this.norm.call(mul(x, 3), context);
      return this.norm.call(x, context);
    }
  }
  const fn = await compile(
    (state: Tensors, x: Tensor) => applyModel(new Shifted(), state, x, { training: true }).state,
    [stateSpecs(new Shifted()), spec([1, 1, 1, 2])],
  );
  const { "norm.running_mean": mean } = await fn(initialState(new Shifted(), 0), Float32Array.of(3, 5));
  await fn.dispose();
  expect(Number(mean![0])).toBeCloseTo(0.75 * (0.25 * 12) + 0.25 * 4, 5);
});

it("linear layers tie their weights by holding one parameter", () => {
  class Tied extends Module {
    readonly first = new Linear(2, 2, { bias: false });
    readonly second = new Linear(2, 2, { bias: false });
    constructor() {
      super();
      this.second.weight = this.first.weight;
    }
    forward(x: Tensor, context: ForwardContext): Tensor {
      return this.second.call(this.first.call(x, context), context);
    }
  }
  expect(stateShapes(new Tied())).toEqual({ "first.weight": [2, 2] });
});
