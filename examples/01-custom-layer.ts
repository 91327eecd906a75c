/** A custom layer, squeeze-and-excite, trained on random data. Run with `npx tsx examples/01-custom-layer.ts`. */
import {
  AdaptiveAvgPool2d,
  applyModel,
  Conv2d,
  compileStep,
  crossEntropy,
  Flatten,
  type ForwardContext,
  gradients,
  initialState,
  Linear,
  Module,
  mul,
  RandomStream,
  ReLU,
  Sequential,
  sgd,
  sigmoid,
  spec,
  stateSpecs,
  type Tensor,
  trainable,
  updateState,
} from "dyconv";

/** Scales each channel by a weight computed from the whole image. */
class SqueezeExcite extends Module {
  readonly net: Sequential;

  constructor(channels: number, ratio: number) {
    super();
    const hidden = channels / ratio;
    this.net = new Sequential(
      new AdaptiveAvgPool2d(),
      new Conv2d(channels, hidden, 1),
      new ReLU(),
      new Conv2d(hidden, channels, 1),
    );
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    return mul(x, sigmoid(this.net.call(x, context)));
  }
}

const model = new Sequential(
  new Conv2d(3, 16, 3, { padding: 1 }),
  new ReLU(),
  new SqueezeExcite(16, 4),
  new AdaptiveAvgPool2d(),
  new Flatten(),
  new Linear(16, 4),
);

const BATCH = 16;
const state = initialState(model, 1);
const step = await compileStep(
  (state, { images, targets }) => {
    const { output } = applyModel(model, state, images, { training: true });
    const loss = crossEntropy(output, targets);
    const gradient = gradients(loss, trainable(model, state));
    return { state: updateState(sgd(), state, gradient, { learningRate: 0.5 }), results: { loss } };
  },
  {
    state: stateSpecs(model),
    inputs: { images: spec([BATCH, 3, 8, 8]), targets: spec([BATCH], "int64") },
  },
  state,
);

// Random images, with each class a little brighter than the previous one.
const random = new RandomStream(1, "example images");
const targets = BigInt64Array.from({ length: BATCH }, (_, i) => BigInt(i % 4));
const images = Float32Array.from(
  { length: BATCH * 3 * 8 * 8 },
  (_, i) => random.normal() * 0.5 + (Math.floor(i / 192) % 4),
);
for (let n = 0; n <= 200; n++) {
  const { loss } = await step.run({ images, targets });
  if (n % 40 === 0) console.log(`step ${n}: loss ${Number(loss[0]).toFixed(4)}`);
}
await step.dispose();
