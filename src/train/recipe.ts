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

/**
 * How each annealed scalar of a model goes, by name: as its layers declare it, the temperature as configured.
 *
 * @throws UsageError if the temperature of a model that has none is configured
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
    hint: "leave out the options of the temperature: softmax routing alone has one",
  });
}
