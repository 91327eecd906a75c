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
  scalar,
  sgd,
  spec,
  type Tensor,
  type TensorSpec,
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
  const parameters = model.namedParameters();
  const slots = parameters.filter(([, { trainable }]) => trainable);
  const stateSpecs: Readonly<Record<string, TensorSpec>> = Object.fromEntries([
    ...parameters.map(([name, { shape }]) => [name, spec(shape)] as const),
    ...slots.map(([name, { shape }]) => [`momentum/${name}`, spec(shape)] as const),
  ]);
  const step = await compileStep(
    (state, { images, targets }) => {
      const applied = applyModel(model, state, images, { training: true, temperature: scalar(3) });
      const loss = crossEntropy(applied.output, targets, { labelSmoothing: 0.1 });
      const byName = gradients(loss, Object.fromEntries(slots.map(([name]) => [name, state[name]!])));
      const next: Record<string, Tensor> = { ...applied.state };
      for (const [name] of slots) {
        const { parameter, slots: updated } = optimizer.update(state[name]!, byName[name]!, {
          slots: { momentum: state[`momentum/${name}`]! },
          learningRate: scalar(0.05),
          step: scalar(1),
        });
        next[name] = parameter;
        next[`momentum/${name}`] = updated.momentum!;
      }
      return { state: next, results: { loss } };
    },
    {
      state: stateSpecs,
      inputs: { images: spec(IMAGES), targets: spec([BATCH], "int64") },
    },
    initialState(model, 1),
    options,
  );
  const random = new RandomStream(1, "images");
  const images = Float32Array.from({ length: IMAGES.reduce((n, size) => n * size) }, () => random.normal());
  const targets = BigInt64Array.from({ length: BATCH }, (_, i) => BigInt(i % CLASSES));
  const losses: number[] = [];
  for (let n = 0; n < 3; n++) {
    const { loss } = await step.run({ images, targets });
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
