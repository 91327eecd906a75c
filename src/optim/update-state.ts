import { UsageError } from "../errors/index.js";
import { type Tensor, withScope } from "../ir/index.js";
import { scalar } from "../ops/index.js";
import type { Optimizer } from "./optimizers.js";

/** The name of an optimiser slot of a parameter in the state. */
function slotKey(slot: string, parameter: string): string {
  return `${slot}/${parameter}`;
}

/** One entry for each slot of each parameter, named `<slot>/<state name>`, with the parameter's value. */
export function slotsFor<T>(
  { slots }: Pick<Optimizer, "slots">,
  parameters: Readonly<Record<string, T>>,
): Record<string, T> {
  const entries = Object.entries(parameters);
  return Object.fromEntries(
    slots.flatMap((slot) => entries.map(([name, value]) => [slotKey(slot, name), value] as const)),
  );
}

/** Options of {@link updateState}. */
export interface UpdateSettings {
  readonly learningRate: Tensor | number;
  /** Step number, counted from 1. Required by Adam and AdamW, unused by `sgd`. */
  readonly step?: Tensor | number;
}

/**
 * Updates parameters from their gradients: the last part of a training step.
 *
 * @param state parameters, and optimiser slots named by {@link slotsFor}; entries without a gradient are kept
 * @param gradient gradients by state name
 * @returns the complete next state
 * @throws UsageError if the optimiser needs `step` and it is omitted
 * @example
 * const next = updateState(sgd(), state, gradients(loss, state), { learningRate: 0.1 });
 */
export function updateState(
  optimizer: Optimizer,
  state: Readonly<Record<string, Tensor>>,
  gradient: Readonly<Record<string, Tensor>>,
  { learningRate, step }: UpdateSettings,
): Record<string, Tensor> {
  const rate = asTensor(learningRate);
  const number = step === undefined ? undefined : asTensor(step);
  const next: Record<string, Tensor> = { ...state };
  for (const [name, slope] of Object.entries(gradient)) {
    const slots = Object.fromEntries(optimizer.slots.map((slot) => [slot, state[slotKey(slot, name)]!]));
    const update = withScope(`${name}.update`, () =>
      optimizer.update(state[name]!, slope, {
        slots,
        learningRate: rate,
        get step() {
          if (number !== undefined) return number;
          throw new UsageError(`${optimizer.name} needs the step number`, {
            hint: "pass `step`, counted from 1, as an input of the step",
          });
        },
      }),
    );
    next[name] = update.parameter;
    for (const slot of optimizer.slots) next[slotKey(slot, name)] = update.slots[slot]!;
  }
  return next;
}

const asTensor = (value: Tensor | number) => (typeof value === "number" ? scalar(value) : value);
