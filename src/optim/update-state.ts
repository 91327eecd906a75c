import { UsageError } from "../errors/index.js";
import { type Tensor, withScope } from "../ir/index.js";
import { scalar } from "../ops/index.js";
import type { Optimizer } from "./optimizers.js";

/** Under which name the state of a step holds an optimiser's slot of a parameter. */
function slotKey(slot: string, parameter: string): string {
  return `${slot}/${parameter}`;
}

/** One entry for each slot that an optimiser keeps of each parameter, as `<slot>/<state name>`: that of the parameter. */
export function slotsFor<T>(
  { slots }: Pick<Optimizer, "slots">,
  parameters: Readonly<Record<string, T>>,
): Record<string, T> {
  const entries = Object.entries(parameters);
  return Object.fromEntries(
    slots.flatMap((slot) => entries.map(([name, value]) => [slotKey(slot, name), value] as const)),
  );
}

/** At what an optimiser updates. */
export interface UpdateSettings {
  readonly learningRate: Tensor | number;
  /** Number of the step, from 1; Adam's rules need it, `sgd` does not. */
  readonly step?: Tensor | number;
}

/**
 * Updates parameters by their gradients: the last part of a training step.
 *
 * @param state parameters, and the optimiser's slots as {@link slotsFor} names them; what has no gradient stays
 * @param gradient by state name
 * @returns the whole next state
 * @throws UsageError if the optimiser needs the number of the step, and it is left out
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
          throw new UsageError(`${optimizer.name} needs the number of the step`, {
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
