import { UsageError } from "../errors/index.js";
import type { Tensor } from "../ir/index.js";
import { add, div, mul, neg, sqrt, sub, tanh } from "../ops/index.js";

/** What an update rule receives besides parameter and gradient. */
export interface UpdateContext<Slot extends string> {
  /** The optimiser's state for the parameter, shaped like it. */
  readonly slots: Readonly<Record<Slot, Tensor>>;
  /** Scalar. */
  readonly learningRate: Tensor;
  /** Step number, counted from 1, a scalar. */
  readonly step: Tensor;
}

/** New value of a parameter and of its slots. */
export interface Update<Slot extends string> {
  readonly parameter: Tensor;
  readonly slots: Readonly<Record<Slot, Tensor>>;
}

/** An update rule. Slots are initialized with zeros. */
export interface Optimizer<Slot extends string = string> {
  readonly name: string;
  readonly slots: readonly Slot[];
  /** The new value of one parameter and of its slots. */
  update(parameter: Tensor, gradient: Tensor, context: UpdateContext<Slot>): Update<Slot>;
}

function decayed(parameter: Tensor, gradient: Tensor, weightDecay: number): Tensor {
  return weightDecay === 0 ? gradient : add(gradient, mul(parameter, weightDecay));
}

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** μ. Defaults to 0. */
  readonly momentum?: number;
  /** Uses Nesterov momentum. Defaults to `false`. */
  readonly nesterov?: boolean;
  /** λ, added to the gradient as λ·parameter. Defaults to 0. */
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent: g ← g + λ·p; v ← μ·v + g; p ← p − η·v, or p − η·(g + μ·v) with Nesterov.
 * PyTorch's convention: the learning rate is outside the momentum.
 */
export function sgd(options: SgdOptions = {}): Optimizer<"momentum"> {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  if (nesterov && momentum <= 0) throw new UsageError("Nesterov needs a momentum above 0");
  return {
    name: "sgd",
    slots: momentum === 0 ? [] : ["momentum"],
    update: (parameter, rawGradient, { slots, learningRate }) => {
      if (momentum === 0) {
        // p − η·(g + λ·p), arranged to read the gradient only once.
        const kept = weightDecay === 0 ? parameter : mul(parameter, sub(1, mul(learningRate, weightDecay)));
        return { parameter: add(kept, mul(rawGradient, neg(learningRate))), slots };
      }
      const gradient = decayed(parameter, rawGradient, weightDecay);
      const velocity = add(mul(slots.momentum, momentum), gradient);
      const direction = nesterov ? add(gradient, mul(velocity, momentum)) : velocity;
      return { parameter: sub(parameter, mul(direction, learningRate)), slots: { momentum: velocity } };
    },
  };
}

/** Options of {@link adam} and {@link adamW}. */
export interface AdamOptions {
  /** β₁, β₂. Defaults to 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** ε. Defaults to 1e-8. */
  readonly epsilon?: number;
  /** λ. Defaults to 0 for {@link adam} and to 0.01 for {@link adamW}. */
  readonly weightDecay?: number;
}

/**
 * 1 − βᵗ, as 2u / (1 + u) of u = tanh(−t·ln β / 2). The difference itself would keep few digits of a β near 1 while t is
 * small: three at the first step for β = 0.99999.
 */
function biasCorrection(beta: number, step: Tensor): Tensor {
  const u = tanh(mul(step, -Math.log(beta) / 2));
  return div(mul(u, 2), add(u, 1));
}

function adamUpdate(name: string, options: AdamOptions, decoupled: boolean): Optimizer<"mean" | "variance"> {
  const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = decoupled ? 0.01 : 0 } = options;
  const [beta1, beta2] = betas;
  return {
    name,
    slots: ["mean", "variance"],
    update: (parameter, rawGradient, { slots, learningRate, step }) => {
      const gradient = decoupled ? rawGradient : decayed(parameter, rawGradient, weightDecay);
      const mean = add(mul(slots.mean, beta1), mul(gradient, 1 - beta1));
      const variance = add(mul(slots.variance, beta2), mul(mul(gradient, gradient), 1 - beta2));
      const meanCorrection = biasCorrection(beta1, step);
      const varianceCorrection = biasCorrection(beta2, step);
      const deviation = add(sqrt(div(variance, varianceCorrection)), epsilon);
      const moved = mul(div(mean, deviation), div(learningRate, meanCorrection));
      const kept = decoupled ? mul(parameter, sub(1, mul(learningRate, weightDecay))) : parameter;
      return { parameter: sub(kept, moved), slots: { mean, variance } };
    },
  };
}

/** Adam of Kingma and Ba, ICLR 2015, with bias correction; weight decay is added to the gradient. */
export function adam(options: AdamOptions = {}): Optimizer<"mean" | "variance"> {
  return adamUpdate("adam", options, false);
}

/** AdamW of Loshchilov and Hutter, ICLR 2019: weight decay shrinks the parameter itself. */
export function adamW(options: AdamOptions = {}): Optimizer<"mean" | "variance"> {
  return adamUpdate("adamw", options, true);
}
