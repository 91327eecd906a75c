import { gradients } from "../grad/index.js";
import { type Tensor, type Tensors, withScope } from "../ir/index.js";
import { type ApplyOptions, applyModel, type Module, trainable } from "../nn/index.js";
import { mean, mul, sum } from "../ops/index.js";
import { clipByGlobalNorm, type Optimizer, type UpdateSettings, updateState } from "../optim/index.js";
import { type RewriteName, rewriteForward } from "../rewrite/index.js";
import type { Task } from "../tasks/index.js";

/** Options of {@link gradientStep}. */
export interface GradientStepOptions {
  readonly model: Module;
  readonly task: Task;
  /**
   * Share of the whole batch that these images are. Defaults to 1. Loss, gradients and buffers are multiplied
   * by it, so that their sums over all parts are those of the batch.
   */
  readonly share?: number;
  /** Rewrites of the forward pass to disable. Defaults to none. */
  readonly withoutRewrites?: readonly RewriteName[];
}

/** Inputs of {@link gradientStep}. */
export interface GradientStepInputs {
  /** Parameters and buffers of the model. */
  readonly state: Tensors;
  /** Preprocessed images, float32 [B, 3, S, S]. */
  readonly images: Tensor;
  /** Targets of the task, [B, …] by name. */
  readonly targets: Tensors;
  /** Applies the model in training mode, with masks and annealed scalars from `TrainingInputs`. */
  readonly pass: ApplyOptions;
}

/** Results of {@link gradientStep}, for a batch or a part of one. */
export interface StepGradients {
  /** By parameter name. */
  readonly gradients: Tensors;
  /** New values of the buffers, such as running statistics, by state name. */
  readonly buffers: Tensors;
  /** A scalar. */
  readonly loss: Tensor;
  /** Sum over the images of the metric that the task tracks, such as hits. A scalar. */
  readonly measured: Tensor;
  /** Output of the network, [B, …]. */
  readonly output: Tensor;
}

/** Forward and backward pass as a function over tensors, to be traced. */
export function gradientStep(options: GradientStepOptions, inputs: GradientStepInputs): StepGradients {
  const { model, task, share = 1, withoutRewrites = [] } = options;
  const { state, images, targets, pass } = inputs;
  const applied = applyModel(model, state, images, pass);
  const shared = (x: Tensor) => (share === 1 ? x : mul(x, share));
  const forward = rewriteForward(
    {
      state: applied.state,
      output: applied.output,
      loss: withScope("loss", () => shared(mean(task.loss(applied.output, targets)))),
    },
    withoutRewrites,
  );
  const buffers = model.namedParameters().filter(([, parameter]) => !parameter.trainable);
  return {
    gradients: gradients(forward.loss, trainable(model, state)),
    buffers: Object.fromEntries(buffers.map(([name]) => [name, shared(forward.state[name]!)])),
    loss: forward.loss,
    measured: sum(task.measure(forward.output, targets)[task.followed]!),
    output: forward.output,
  };
}

/** Options of {@link updateStep}. */
export interface UpdateStepOptions {
  readonly optimizer: Optimizer;
  /** Clip gradients to this global norm. Defaults to no clipping. */
  readonly clipNorm?: number;
}

/** Inputs of {@link updateStep}. */
export interface UpdateStepInputs extends UpdateSettings {
  /** Parameters, and the optimiser's slots as `<slot>/<state name>`. */
  readonly state: Tensors;
  /** By parameter name. */
  readonly gradients: Tensors;
}

/** Results of {@link updateStep}. */
export interface StepUpdate {
  /** The state with new parameters and slots, otherwise unchanged. */
  readonly state: Tensors;
  /** Global norm of the gradients before clipping, a scalar. Only present if they are clipped. */
  readonly gradientNorm?: Tensor;
}

/** Updates all parameters, as a function over tensors, to be traced. */
export function updateStep(options: UpdateStepOptions, inputs: UpdateStepInputs): StepUpdate {
  const { optimizer, clipNorm } = options;
  const { state, gradients, ...settings } = inputs;
  const clipped =
    clipNorm === undefined ? { gradients } : withScope("clip", () => clipByGlobalNorm(gradients, clipNorm));
  const next = updateState(optimizer, state, clipped.gradients, settings);
  return { state: next, ...("norm" in clipped && { gradientNorm: clipped.norm }) };
}

/** Forward pass, backward pass and update as one function over tensors, to be traced. */
export function trainingStep(
  options: GradientStepOptions & UpdateStepOptions,
  inputs: GradientStepInputs & Omit<UpdateStepInputs, "gradients">,
) {
  const { buffers, ...found } = gradientStep(options, inputs);
  const update = updateStep(options, { ...inputs, gradients: found.gradients });
  return { ...found, ...update, state: { ...update.state, ...buffers } };
}
