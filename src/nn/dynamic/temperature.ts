import { linearAnneal, type Schedule } from "../../optim/index.js";
import { AnnealedScalar } from "../annealed-scalar.js";

/** Options of {@link temperatureSchedule}. */
export interface TemperatureOptions {
  /** Initial temperature. Defaults to 30. */
  readonly from?: number | undefined;
  /** Decrease per epoch. Defaults to 3. */
  readonly decrement?: number | undefined;
  /** Whether it decreases once per epoch or gradually at every step. Defaults to `"epoch"`. */
  readonly every?: "epoch" | "step" | undefined;
}

/**
 * The routing temperature as a function of the epoch, counted from 0: T ← max(T − decrement, 1) after each epoch. The
 * defaults are those of the published CIFAR-10 experiment: 30, 27, …, 3, 1. Chen et al., CVPR 2020, section 3.3, anneal
 * from 30 to 1 in the first 10 epochs.
 */
export function temperatureSchedule(options: TemperatureOptions = {}): Schedule {
  const { from = 30, decrement = 3, every = "epoch" } = options;
  const anneal = linearAnneal({ from, to: 1, epochs: 10, decrement });
  return every === "step" ? anneal : (epoch) => anneal(Math.floor(epoch));
}

/** The temperature T that divides the logits of softmax routing, shared by all layers of a network. */
export const ROUTING_TEMPERATURE = new AnnealedScalar("temperature", {
  rest: 1,
  schedule: temperatureSchedule(),
  above: 0,
});
