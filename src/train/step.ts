import { gradients } from "../grad/index.js";
import { type Tensor, withScope } from "../ir/index.js";
import {
  type ApplyOptions,
  applyModel,
  crossEntropy,
  type Module,
  topKHits,
  trainable,
} from "../nn/index.js";
import { mul, sum } from "../ops/index.js";
import { clipByGlobalNorm, type Optimizer, type UpdateSettings, updateState } from "../optim/index.js";
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
  /** How the model is applied: in training, with masks and annealed scalars, as `TrainingInputs` gives them. */
  readonly pass: ApplyOptions;
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
  const { state, images, targets, pass } = inputs;
  const applied = applyModel(model, state, images, pass);
  const shared = (x: Tensor) => (share === 1 ? x : mul(x, share));
  const forward = rewriteForward(
    {
      state: applied.state,
      logits: applied.output,
      loss: withScope("loss", () => shared(crossEntropy(applied.output, targets, { labelSmoothing }))),
    },
    withoutRewrites,
  );
  const buffers = model.namedParameters().filter(([, parameter]) => !parameter.trainable);
  return {
    gradients: gradients(forward.loss, trainable(model, state)),
    buffers: Object.fromEntries(buffers.map(([name]) => [name, shared(forward.state[name]!)])),
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
export interface UpdateStepInputs extends UpdateSettings {
  /** Parameters, and the optimiser's slots as `<slot>/<state name>`. */
  readonly state: Tensors;
  /** By parameter name. */
  readonly gradients: Tensors;
}

/** What an update gives. */
export interface StepUpdate {
  /** New parameters and slots; all else of the state unchanged. */
  readonly state: Tensors;
  /** Global norm of the gradients before they were clipped, a scalar; present if they are clipped. */
  readonly gradientNorm?: Tensor;
}

/** The update of all parameters as one function over tensors, ready to be traced. */
export function updateStep(options: UpdateStepOptions, inputs: UpdateStepInputs): StepUpdate {
  const { optimizer, clipNorm } = options;
  const { state, gradients, ...settings } = inputs;
  const clipped =
    clipNorm === undefined ? { gradients } : withScope("clip", () => clipByGlobalNorm(gradients, clipNorm));
  const next = updateState(optimizer, state, clipped.gradients, settings);
  return { state: next, ...("norm" in clipped && { gradientNorm: clipped.norm }) };
}

/** Forward, backward and update as one function over tensors, ready to be traced. */
export function trainingStep(
  options: GradientStepOptions & UpdateStepOptions,
  inputs: GradientStepInputs & Omit<UpdateStepInputs, "gradients">,
) {
  const { buffers, ...found } = gradientStep(options, inputs);
  const update = updateStep(options, { ...inputs, gradients: found.gradients });
  return { ...found, ...update, state: { ...update.state, ...buffers } };
}
