import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/index.js";
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  DynamicConv2d,
  Flatten,
  initialState,
  Linear,
  type Module,
  ReLU,
  Sequential,
  stateSpecs,
} from "../../src/nn/index.js";
import { adamW, type Optimizer, sgd } from "../../src/optim/index.js";
import { classification } from "../../src/tasks/index.js";
import { spec } from "../../src/trace/index.js";
import { compileTraining, type TrainingDesign } from "../../src/train/compiled-training.js";
import { randomArray } from "../contract/gradient-check.js";

const BATCH = 8;
const SIZE = 5;
const CLASSES = 4;

const plain = () =>
  new Sequential(
    new DynamicConv2d(3, 6, 3, { padding: 1, experts: 2, ratio: 1 }),
    new ReLU(),
    new Flatten(),
    new Dropout(0.25),
    new Linear(6 * SIZE * SIZE, CLASSES),
  );

const normalized = () =>
  new Sequential(
    new Conv2d(3, 6, 3, { padding: 1 }),
    new BatchNorm2d(6),
    new ReLU(),
    new Flatten(),
    new Linear(6 * SIZE * SIZE, CLASSES),
  );

const images = randomArray(BATCH * 3 * SIZE * SIZE, "images");
const targets = BigInt64Array.from({ length: BATCH }, (_, n) => BigInt(n % CLASSES));

function design(
  model: Module,
  optimizer: Optimizer,
  options: Partial<Pick<TrainingDesign, "accumulate" | "clipNorm" | "batchSize">>,
): TrainingDesign {
  return {
    ...{ model, optimizer, batchSize: BATCH, imageSize: SIZE, seed: 1 },
    task: classification({ labelSmoothing: 0.1 }),
    targets: { targets: spec([], "int64") },
    state: stateSpecs(model, optimizer),
    rows: { images: spec([3, SIZE, SIZE]) },
    prepare: ({ images }: Readonly<Record<string, Tensor>>) => images!,
    ...options,
  };
}

/** Three steps; the last figures, and the state after them. */
async function train(
  model: Module,
  optimizer: Optimizer,
  options: Parameters<typeof design>[2],
  batch = { images, targets },
) {
  const training = await compileTraining(design(model, optimizer, options), {});
  training.setState(initialState(model, 3));
  let figures = {};
  for (let step = 0; step < 3; step++) {
    figures = await training.run(batch, {
      learningRate: 0.01,
      annealed: model.annealedScalars().length > 0 ? { temperature: 2 } : {},
      step,
    });
  }
  const state = await training.state();
  const copied = Object.fromEntries(Object.entries(state).map(([name, values]) => [name, values.slice()]));
  await training.dispose();
  return { figures: figures as { loss: number; measured: number; gradientNorm?: number }, state: copied };
}

type Trained = Awaited<ReturnType<typeof train>>;

function expectSame(found: Trained, expected: Trained) {
  expect(found.figures.loss).toBeCloseTo(expected.figures.loss, 5);
  expect(found.figures.measured).toBe(expected.figures.measured);
  expect(Object.keys(found.state).sort()).toEqual(Object.keys(expected.state).sort());
  for (const [name, values] of Object.entries(found.state)) {
    values.forEach((value, i) => {
      expect(value, name).toBeCloseTo(expected.state[name]![i]!, 5);
    });
  }
}

describe("a batch in parts", () => {
  const optimizers = { sgd: () => sgd({ momentum: 0.9, weightDecay: 1e-3 }), adamw: () => adamW() };
  for (const [name, optimizer] of Object.entries(optimizers)) {
    it.each([1, 2, 4, 8])(
      `of %s gives the step of the whole batch, dropout masks too: ${name}`,
      async (k) => {
        const whole = await train(plain(), optimizer(), {});
        expectSame(await train(plain(), optimizer(), { accumulate: k }), whole);
      },
    );
  }

  it("clips the gradient of the whole batch", async () => {
    const whole = await train(plain(), sgd(), { clipNorm: 0.05 });
    const parts = await train(plain(), sgd(), { clipNorm: 0.05, accumulate: 4 });
    expectSame(parts, whole);
    expect(parts.figures.gradientNorm).toBeCloseTo(whole.figures.gradientNorm!, 5);
    expect(whole.figures.gradientNorm!).toBeGreaterThan(0.05);
    const free = await train(plain(), sgd(), {});
    expect(free.state["4.weight"]).not.toEqual(whole.state["4.weight"]);
  });

  it("normalizes each part by itself: two equal halves train as one of them", async () => {
    const half = images.slice(0, images.length / 2);
    const twice = new Float32Array([...half, ...half]);
    const labels = targets.slice(0, BATCH / 2);
    const doubled = { images: twice, targets: new BigInt64Array([...labels, ...labels]) };
    const parts = await train(normalized(), sgd(), { accumulate: 2 }, doubled);
    const one = await train(normalized(), sgd(), { batchSize: BATCH / 2 }, { images: half, targets: labels });
    expectSame({ ...parts, figures: { ...parts.figures, measured: parts.figures.measured / 2 } }, one);
  });

  it.each([3, 16, 0.5])("refuses %s parts of 8 images", async (accumulate) => {
    await expect(compileTraining(design(plain(), sgd(), { accumulate }), {})).rejects.toThrow(
      `a batch of 8 images cannot be split into ${accumulate} equal parts`,
    );
  });
});
