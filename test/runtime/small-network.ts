/** A small network with every kind of layer that AlexNet-DY has, trained in node and in a browser alike. */
import {
  applyModel,
  BatchNorm2d,
  Conv2d,
  compileStep,
  crossEntropy,
  DynamicConv2d,
  Flatten,
  gradients,
  initialState,
  Linear,
  MaxPool2d,
  RandomStream,
  ReLU,
  type RuntimeOptions,
  Sequential,
  sgd,
  spec,
  stateSpecs,
  TrainingInputs,
  trainable,
  updateState,
} from "dyconv";

const BATCH = 4;
const CLASSES = 5;
const IMAGES = [BATCH, 3, 16, 16];

/** What a few training steps gave. */
export interface TrainedNetwork {
  readonly losses: readonly number[];
  /** √Σ value² of each tensor of the state after the last step, by name. */
  readonly norms: Readonly<Record<string, number>>;
}

function smallNetwork(): Sequential {
  return new Sequential(
    new Conv2d(3, 8, 5, { stride: 2, padding: 2 }),
    new BatchNorm2d(8),
    new ReLU(),
    new MaxPool2d(3, { stride: 2 }),
    new DynamicConv2d(8, 12, 3, { padding: 1, experts: 2, groups: 2 }),
    new ReLU(),
    new Flatten(),
    new Linear(12 * 3 * 3, CLASSES),
  );
}

/** Trains the network on random images for three steps. */
export async function trainSmallNetwork(options: RuntimeOptions): Promise<TrainedNetwork> {
  const model = smallNetwork();
  const optimizer = sgd({ momentum: 0.9, weightDecay: 1e-4 });
  const asked = new TrainingInputs(model, IMAGES, { seed: 1 });
  const step = await compileStep(
    (state, { images, targets, ...given }) => {
      const applied = applyModel(model, state, images, asked.options(given));
      const loss = crossEntropy(applied.output, targets, { labelSmoothing: 0.1 });
      const gradient = gradients(loss, trainable(model, state));
      return {
        state: updateState(optimizer, applied.state, gradient, { learningRate: 0.05 }),
        results: { loss },
      };
    },
    {
      state: stateSpecs(model, optimizer),
      inputs: { images: spec(IMAGES), targets: spec([BATCH], "int64"), ...asked.specs },
    },
    initialState(model, 1),
    options,
  );
  const random = new RandomStream(1, "images");
  const images = Float32Array.from({ length: IMAGES.reduce((n, size) => n * size) }, () => random.normal());
  const targets = BigInt64Array.from({ length: BATCH }, (_, i) => BigInt(i % CLASSES));
  const losses: number[] = [];
  for (let n = 0; n < 3; n++) {
    const { loss } = await step.run({ images, targets, ...asked.values(n, { temperature: 3 }) });
    losses.push(Number(loss[0]));
  }
  const state = Object.entries(await step.state());
  await step.dispose();
  const norm = (values: Float32Array) => Math.hypot(...values);
  return {
    losses,
    norms: Object.fromEntries(state.map(([name, data]) => [name, norm(data as Float32Array)])),
  };
}
