import { gradients } from "../grad/index.js";
import { type Tensor, withScope } from "../ir/index.js";
import { applyModel, crossEntropy, type Module, topKHits, trainableNames } from "../nn/index.js";
import { sum } from "../ops/index.js";
import { type Optimizer, slotKey } from "../optim/index.js";
import { type RewriteName, rewriteForward } from "../rewrite/index.js";

/** Tensors by name. */
type Tensors = Readonly<Record<string, Tensor>>;

/** What a training step is made from. */
export interface TrainingStepOptions {
  readonly model: Module;
  readonly optimizer: Optimizer;
  /** ε of the label smoothing; 0 by default. */
  readonly labelSmoothing?: number;
  /** Rewrites of the forward pass to leave out; none by default. */
  readonly withoutRewrites?: readonly RewriteName[];
}

/** What a training step is fed with. */
export interface TrainingStepInputs {
  /** Model state, and the optimiser's slots as `<slot>/<state name>`. */
  readonly state: Tensors;
  /** Prepared images, float32 [B, 3, S, S]. */
  readonly images: Tensor;
  /** int64 [B] */
  readonly targets: Tensor;
  /** Scalars. */
  readonly learningRate: Tensor;
  readonly temperature: Tensor;
  /** Number of the step, from 1. */
  readonly step: Tensor;
  /** uint8 dropout masks, in the order in which the model asks for them. */
  readonly masks: readonly Tensor[];
}

/** Forward, backward and update as one function over tensors, ready to be traced. */
export function trainingStep(options: TrainingStepOptions, inputs: TrainingStepInputs) {
  const { model, optimizer, labelSmoothing = 0, withoutRewrites = [] } = options;
  const { state, images, targets, learningRate, temperature, step } = inputs;
  const masks = inputs.masks[Symbol.iterator]();
  const applied = applyModel(model, state, images, {
    training: true,
    temperature,
    mask: () => masks.next().value as Tensor,
  });
  const forward = rewriteForward(
    {
      state: applied.state,
      logits: applied.output,
      loss: withScope("loss", () => crossEntropy(applied.output, targets, { labelSmoothing })),
    },
    withoutRewrites,
  );
  const parameters = Object.fromEntries(trainableNames(model).map((name) => [name, state[name]!]));
  const gradient = gradients(forward.loss, parameters);

  const nextState: Record<string, Tensor> = { ...forward.state };
  for (const [name, parameter] of Object.entries(parameters)) {
    const slots = Object.fromEntries(optimizer.slots.map((slot) => [slot, state[slotKey(slot, name)]!]));
    const update = withScope(`${name}.update`, () =>
      optimizer.update(parameter, gradient[name]!, { slots, learningRate, step }),
    );
    nextState[name] = update.parameter;
    for (const slot of optimizer.slots) nextState[slotKey(slot, name)] = update.slots[slot]!;
  }
  return {
    state: nextState,
    loss: forward.loss,
    hits: sum(topKHits(forward.logits, targets)),
    logits: forward.logits,
    gradient,
  };
}
