import { UsageError } from "../errors/index.js";
import { type Module, ROUTING_TEMPERATURE, temperatureSchedule } from "../nn/index.js";
import {
  adam,
  adamW,
  cosine,
  multiStep,
  type Optimizer,
  type Schedule,
  sgd,
  warmUp,
} from "../optim/index.js";
import type { TrainConfig } from "../runs/config.js";

/**
 * Creates the optimizer of a configuration.
 *
 * @throws UsageError if an option does not apply to it
 */
export function createOptimizer({ optimizer, momentum, nesterov, weightDecay }: TrainConfig): Optimizer {
  if (optimizer === "sgd") return sgd({ momentum, nesterov, weightDecay });
  if (momentum > 0 || nesterov) {
    throw new UsageError(`${optimizer} takes neither momentum nor Nesterov`, {
      hint: "remove them, or use the optimizer sgd",
    });
  }
  return optimizer === "adam" ? adam({ weightDecay }) : adamW({ weightDecay });
}

/** The learning rate over a run, in epochs from 0. */
export function learningRateSchedule(config: TrainConfig): Schedule {
  const { schedule, learningRate: value, milestones, epochs } = config;
  const schedules: Readonly<Record<TrainConfig["schedule"], Schedule>> = {
    "multi-step": multiStep({ value, milestones }),
    cosine: cosine({ value, epochs }),
    constant: () => value,
  };
  return warmUp(schedules[schedule], config.warmUp);
}

/**
 * The schedule of each annealed scalar of a model, by name: as its layers declare it, and as configured for
 * the temperature.
 *
 * @throws UsageError if a temperature is configured for a model without one
 */
export function annealingSchedules(config: TrainConfig, model: Module): Readonly<Record<string, Schedule>> {
  const { temperature: from, temperatureDecrement: decrement, temperatureEvery: every } = config;
  const configured = from !== undefined || decrement !== undefined || every !== undefined;
  const schedules = Object.fromEntries(
    model.annealedScalars().map(({ name, schedule }) => [name, schedule] as const),
  );
  if (!configured) return schedules;
  const { name } = ROUTING_TEMPERATURE;
  if (Object.hasOwn(schedules, name)) {
    return { ...schedules, [name]: temperatureSchedule({ from, decrement, every }) };
  }
  throw new UsageError(`${config.model} has no routing temperature to configure`, {
    hint: "remove the temperature options: only softmax routing has one",
  });
}
