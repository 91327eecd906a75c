import { UsageError } from "../errors/index.js";
import {
  adam,
  adamW,
  cosine,
  linearAnneal,
  multiStep,
  type Optimizer,
  type Schedule,
  sgd,
  warmUp,
} from "../optim/index.js";
import type { TrainConfig } from "../runs/config.js";

/**
 * The update rule that a configuration asks for.
 *
 * @throws UsageError if it is given what it does not take
 */
export function createOptimizer({ optimizer, momentum, nesterov, weightDecay }: TrainConfig): Optimizer {
  if (optimizer === "sgd") return sgd({ momentum, nesterov, weightDecay });
  if (momentum > 0 || nesterov) {
    throw new UsageError(`${optimizer} takes neither momentum nor Nesterov`, {
      hint: "leave them out, or use the optimizer sgd",
    });
  }
  return optimizer === "adam" ? adam({ weightDecay }) : adamW({ weightDecay });
}

/** The learning rate at each place of a run, in epochs from 0. */
export function learningRateSchedule(config: TrainConfig): Schedule {
  const { schedule, learningRate: value, milestones, epochs } = config;
  const schedules: Readonly<Record<TrainConfig["schedule"], Schedule>> = {
    "multi-step": multiStep({ value, milestones }),
    cosine: cosine({ value, epochs }),
    constant: () => value,
  };
  return warmUp(schedules[schedule], config.warmUp);
}

/** The routing temperature at each place of a run, in epochs from 0. */
export function temperatureSchedule(config: TrainConfig): Schedule {
  const { temperature: from, temperatureDecrement: decrement, temperatureEvery, epochs } = config;
  const anneal = linearAnneal({ from, to: 1, epochs, decrement });
  return temperatureEvery === "step" ? anneal : (epoch) => anneal(Math.floor(epoch));
}
