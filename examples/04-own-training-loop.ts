/**
 * A custom training loop, for a network with everything that a training step needs to handle: batch norm, dropout and a
 * dynamic convolution. Run with `npx tsx examples/04-own-training-loop.ts`.
 */
import {
  AdaptiveAvgPool2d,
  annealedAt,
  applyModel,
  BatchNorm2d,
  Conv2d,
  compile,
  compileStep,
  cosine,
  crossEntropy,
  Dropout,
  DynamicConv2d,
  Flatten,
  freeze,
  gradients,
  initialState,
  Linear,
  type ModelState,
  RandomStream,
  ReLU,
  rewriteForward,
  Sequential,
  sgd,
  spec,
  stateSpecs,
  TrainingInputs,
  topKHits,
  trainable,
  updateState,
} from "dyconv";

const [EPOCHS, STEPS, BATCH, CLASSES, SEED] = [6, 20, 16, 4, 1];
const IMAGES = [BATCH, 3, 12, 12];

const model = new Sequential(
  new Conv2d(3, 16, 3, { padding: 1 }),
  new BatchNorm2d(16),
  new ReLU(),
  new DynamicConv2d(16, 32, 3, { padding: 1, stride: 2, experts: 4 }),
  new ReLU(),
  new AdaptiveAvgPool2d(),
  new Flatten(),
  new Dropout(0.2),
  new Linear(32, CLASSES),
);

// The step: forward, backward, update. Running statistics are part of the state that `applyModel` returns.
const optimizer = sgd({ momentum: 0.9, weightDecay: 1e-4 });
const asked = new TrainingInputs(model, IMAGES, { seed: SEED });
const step = await compileStep(
  (state, { images, targets, learningRate, ...given }) => {
    const applied = applyModel(model, state, images, asked.options(given));
    const loss = crossEntropy(applied.output, targets);
    const forward = rewriteForward({ loss, state: applied.state });
    const gradient = gradients(forward.loss, trainable(model, state));
    const next = updateState(optimizer, forward.state, gradient, { learningRate: learningRate! });
    return { state: next, results: { loss: forward.loss } };
  },
  {
    state: stateSpecs(model, optimizer),
    inputs: { images: spec(IMAGES), targets: spec([BATCH], "int64"), learningRate: spec([]), ...asked.specs },
  },
  initialState(model, SEED),
);

/** Noise with stripes, whose spacing depends on the class. */
function batch(purpose: string, n: number) {
  const random = new RandomStream(SEED, purpose, n);
  const targets = BigInt64Array.from({ length: BATCH }, () => BigInt(Math.floor(random.uniform() * CLASSES)));
  const images = Float32Array.from({ length: BATCH * 3 * 144 }, (_, i) => {
    const label = Number(targets[Math.floor(i / 432)]);
    return (i % 12) % (label + 2) === 0 ? 1 + random.normal() * 0.5 : random.normal() * 0.5;
  });
  return { images, targets };
}

/** Share of images classified correctly, with frozen weights at a given temperature. */
async function accuracy(state: ModelState, annealed: Readonly<Record<string, number>>): Promise<number> {
  const evaluate = await compile(
    (images, targets) =>
      topKHits(applyModel(model, freeze(model, state), images, { annealed }).output, targets),
    [spec(IMAGES), spec([BATCH], "int64")],
  );
  let hits = 0;
  for (let n = 0; n < STEPS; n++) {
    const { images, targets } = batch("test", n);
    hits += Array.from(await evaluate(images, targets), Number).reduce((sum, hit) => sum + hit);
  }
  await evaluate.dispose();
  return hits / (STEPS * BATCH);
}

const learningRate = cosine({ value: 0.05, epochs: EPOCHS });
for (let n = 0; n < EPOCHS * STEPS; n++) {
  const epoch = n / STEPS;
  const annealed = annealedAt(model.annealedScalars(), epoch);
  const { loss } = await step.run({
    ...batch("train", n),
    learningRate: Float32Array.of(learningRate(epoch)),
    ...asked.values(n, annealed),
  });
  if ((n + 1) % STEPS > 0) continue;
  const share = await accuracy((await step.state()) as ModelState, annealed);
  console.log(
    `epoch ${(n + 1) / STEPS}: temperature ${annealed.temperature}, loss ${Number(loss![0]).toFixed(4)}, accuracy ${share.toFixed(3)}`,
  );
}
await step.dispose();
