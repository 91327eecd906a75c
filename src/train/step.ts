import { gradients } from "../grad/index.js";
import { type Tensor, withScope } from "../ir/index.js";
import { applyModel, crossEntropy, type Module, topKHits, trainableNames } from "../nn/index.js";
import { mul, sum } from "../ops/index.js";
import { clipByGlobalNorm, type Optimizer, slotKey } from "../optim/index.js";
import { type RewriteName, rewriteForward } from "../rewrite/index.js";

/** Tensors by name. */
type Tensors = Readonly<Record<string, Tensor>>;

/** What gradients are made from. */
export interface GradientStepOptions {
  readonly model: Module;
  /** ε of the label smoothing; 0 by default. */
  readonly labelSmoothing?: number;
  /**
   * Part of the whole batch that these images are; 1 by default. Loss, gradients and buffers are multiplied by it,
   * so that their sums over all parts are those of the batch.
   */
  readonly share?: number;
  /** Rewrites of the forward pass to leave out; none by default. */
  readonly withoutRewrites?: readonly RewriteName[];
}

/** What gradients are computed on. */
export interface GradientStepInputs {
  /** Parameters and buffers of the model. */
  readonly state: Tensors;
  /** Prepared images, float32 [B, 3, S, S]. */
  readonly images: Tensor;
  /** int64 [B] */
  readonly targets: Tensor;
  /** A scalar. */
  readonly temperature: Tensor;
  /** uint8 dropout masks, in the order in which the model asks for them. */
  readonly masks: readonly Tensor[];
}

/** What a batch, or a part of one, gives. */
export interface StepGradients {
  /** By parameter name. */
  readonly gradients: Tensors;
  /** New values of the buffers, such as running statistics, by state name. */
  readonly buffers: Tensors;
  /** A scalar. */
  readonly loss: Tensor;
  /** Images that were classified correctly, a scalar. */
  readonly hits: Tensor;
  readonly logits: Tensor;
}

/** Forward and backward pass as one function over tensors, ready to be traced. */
export function gradientStep(options: GradientStepOptions, inputs: GradientStepInputs): StepGradients {
  const { model, labelSmoothing = 0, share = 1, withoutRewrites = [] } = options;
  const { state, images, targets, temperature } = inputs;
  const masks = inputs.masks[Symbol.iterator]();
  const applied = applyModel(model, state, images, {
    training: true,
    temperature,
    mask: () => masks.next().value as Tensor,
  });
  const shared = (x: Tensor) => (share === 1 ? x : mul(x, share));
  const forward = rewriteForward(
    {
      state: applied.state,
      logits: applied.output,
      loss: withScope("loss", () => shared(crossEntropy(applied.output, targets, { labelSmoothing }))),
    },
    withoutRewrites,
  );
  const trainable = trainableNames(model);
  const buffers = Object.entries(forward.state).filter(([name]) => !trainable.includes(name));
  return {
    gradients: gradients(forward.loss, Object.fromEntries(trainable.map((name) => [name, state[name]!]))),
    buffers: Object.fromEntries(buffers.map(([name, value]) => [name, shared(value)])),
    loss: forward.loss,
    hits: sum(topKHits(forward.logits, targets)),
    logits: forward.logits,
  };
}

/** How parameters are updated. */
export interface UpdateStepOptions {
  readonly optimizer: Optimizer;
  /** Largest global norm of the gradients; no limit by default. */
  readonly clipNorm?: number;
}

/** What parameters are updated from. */
export interface UpdateStepInputs {
  /** Parameters, and the optimiser's slots as `<slot>/<state name>`. */
  readonly state: Tensors;
  /** By parameter name. */
  readonly gradients: Tensors;
  /** A scalar. */
  readonly learningRate: Tensor;
  /** Number of the step, from 1, a scalar. */
  readonly step: Tensor;
}

/** What an update gives. */
export interface StepUpdate {
  /** New parameters and slots. */
  readonly state: Tensors;
  /** Global norm of the gradients before they were clipped, a scalar; present if they are clipped. */
  readonly gradientNorm?: Tensor;
}

/** The update of all parameters as one function over tensors, ready to be traced. */
export function updateStep(options: UpdateStepOptions, inputs: UpdateStepInputs): StepUpdate {
  const { optimizer, clipNorm } = options;
  const { state, learningRate, step } = inputs;
  const clipped =
    clipNorm === undefined
      ? { gradients: inputs.gradients }
      : withScope("clip", () => clipByGlobalNorm(inputs.gradients, clipNorm));
  const next: Record<string, Tensor> = {};
  for (const [name, gradient] of Object.entries(clipped.gradients)) {
    const slots = Object.fromEntries(optimizer.slots.map((slot) => [slot, state[slotKey(slot, name)]!]));
    const update = withScope(`${name}.update`, () =>
      optimizer.update(state[name]!, gradient, { slots, learningRate, step }),
    );
    next[name] = update.parameter;
    for (const slot of optimizer.slots) next[slotKey(slot, name)] = update.slots[slot]!;
  }
  return { state: next, ...("norm" in clipped && { gradientNorm: clipped.norm }) };
}

/** Forward, backward and update as one function over tensors, ready to be traced. */
export function trainingStep(
  options: GradientStepOptions & UpdateStepOptions,
  inputs: GradientStepInputs & Omit<UpdateStepInputs, "gradients">,
) {
  const { buffers, ...found } = gradientStep(options, inputs);
  const update = updateStep(options, { ...inputs, gradients: found.gradients });
  return { ...found, ...update, state: { ...buffers, ...update.state } };
}
