import { type Optimizer, slotsFor } from "../optim/index.js";
import { spec, type TensorSpec } from "../trace/index.js";
import { RandomStream } from "../util/random.js";
import type { Module } from "./module.js";

/** Values of a model's parameters and buffers, by state name. */
export type ModelState = Readonly<Record<string, Float32Array>>;

/**
 * Initial values of all parameters and buffers. Each depends only on the seed and its own name.
 *
 * @param seed non-negative integer
 */
export function initialState(model: Module, seed: number): ModelState {
  return Object.fromEntries(
    model
      .namedParameters()
      .map(([name, { initializer, shape }]) => [
        name,
        initializer(shape, new RandomStream(seed, `init ${name}`)),
      ]),
  );
}

/** Shape of each parameter and buffer by state name, then of each optimiser slot. */
export function stateShapes(
  model: Module,
  optimizer: Pick<Optimizer, "slots"> = { slots: [] },
): Readonly<Record<string, readonly number[]>> {
  const shapes = Object.fromEntries(model.namedParameters().map(([name, { shape }]) => [name, shape]));
  return { ...shapes, ...slotsFor(optimizer, trainable(model, shapes)) };
}

/**
 * Specs of a model's parameters and buffers by state name, for `trace`, `compile` and `compileStep`.
 *
 * @param optimizer adds its slots, for a training step
 */
export function stateSpecs(
  model: Module,
  optimizer?: Pick<Optimizer, "slots">,
): Readonly<Record<string, TensorSpec<"float32">>> {
  const shapes = Object.entries(stateShapes(model, optimizer));
  return Object.fromEntries(shapes.map(([name, shape]) => [name, spec(shape)]));
}

/** The entries of a model's trainable parameters, to differentiate a loss with respect to them. */
export function trainable<T>(model: Module, state: Readonly<Record<string, T>>): Record<string, T> {
  const names = model.namedParameters().filter(([, parameter]) => parameter.trainable);
  return Object.fromEntries(names.map(([name]) => [name, state[name]!]));
}
