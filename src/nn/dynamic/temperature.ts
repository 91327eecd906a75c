import { linearAnneal, type Schedule } from "../../optim/index.js";
import { AnnealedScalar } from "../annealed-scalar.js";

/** How the routing temperature falls to 1. */
export interface TemperatureOptions {
  /** Where it starts. Defaults to 30. */
  readonly from?: number | undefined;
  /** What an epoch takes off it. Defaults to 3. */
  readonly decrement?: number | undefined;
  /** Whether it falls once an epoch, or a little every step. Defaults to `"epoch"`. */
  readonly every?: "epoch" | "step" | undefined;
}

/**
 * The routing temperature at each place of a run, in epochs from 0: T ← max(T − decrement, 1) after each epoch.
 * The defaults are the published CIFAR-10 experiment's: 30, 27, …, 3, 1. Chen et al., CVPR 2020, section 3.3,
 * anneal from 30 to 1 in the first 10 epochs.
 */
export function temperatureSchedule(options: TemperatureOptions = {}): Schedule {
  const { from = 30, decrement = 3, every = "epoch" } = options;
  const anneal = linearAnneal({ from, to: 1, epochs: 10, decrement });
  return every === "step" ? anneal : (epoch) => anneal(Math.floor(epoch));
}

/** The temperature T that the logits of softmax routing are divided by; one for all layers of a network. */
export const ROUTING_TEMPERATURE = new AnnealedScalar("temperature", {
  rest: 1,
  schedule: temperatureSchedule(),
  above: 0,
});
