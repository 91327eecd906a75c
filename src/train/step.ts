import { gradients } from "../grad/index.js";
import { type Tensor, type Tensors, withScope } from "../ir/index.js";
import { type ApplyOptions, applyModel, type Module, trainable } from "../nn/index.js";
import { mean, mul, sum } from "../ops/index.js";
import { clipByGlobalNorm, type Optimizer, type UpdateSettings, updateState } from "../optim/index.js";
import { type RewriteName, rewriteForward } from "../rewrite/index.js";
import type { Task } from "../tasks/index.js";

/** What gradients are made from. */
export interface GradientStepOptions {
  readonly model: Module;
  readonly task: Task;
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
  /** What the task learns from, [B, …] by name. */
  readonly targets: Tensors;
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
  /** Sum over the images of the measure that the task follows, such as hits; a scalar. */
  readonly measured: Tensor;
  /** Of the network, [B, …]. */
  readonly output: Tensor;
}

/** Forward and backward pass as one function over tensors, ready to be traced. */
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
