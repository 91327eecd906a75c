import { GraphError } from "../errors/index.js";
import { currentScope, type Tensor } from "../ir/index.js";
import { input, scalar } from "../ops/index.js";
import { RandomStream } from "../util/random.js";
import type { ForwardContext, Module, Parameter } from "./module.js";

/** Values of a model's parameters and buffers, by state name. */
export type ModelState = Readonly<Record<string, Float32Array>>;

/**
 * First values of all parameters and buffers. Each depends on the seed and its own name alone.
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

/** How a model is applied. */
export interface ApplyOptions {
  /** `false` by default. */
  readonly training?: boolean;
  /** Routing temperature, a scalar; 1 by default, as at inference. */
  readonly temperature?: Tensor;
  /** Gives dropout masks; without it, a model with dropout cannot be applied in training. */
  readonly mask?: ForwardContext["mask"];
}

/** What applying a model gives beside its output. */
export interface Applied {
  readonly output: Tensor;
  /** The state after the call: new running statistics, all else unchanged. */
  readonly state: Readonly<Record<string, Tensor>>;
  /** Attention [B, K] of each dynamic layer, by the layer's path. */
  readonly attention: Readonly<Record<string, Tensor>>;
}

/** Applies a model to `x`, its parameters and buffers given by state name. */
export function applyModel(
  model: Module,
  state: Readonly<Record<string, Tensor>>,
  x: Tensor,
  options: ApplyOptions = {},
): Applied {
  const tensors = new Map<Parameter, Tensor>();
  const names = new Map<Parameter, string>();
  for (const [name, parameter] of model.namedParameters()) {
    const tensor = state[name];
    if (tensor === undefined) throw new GraphError(`the state has no "${name}"`);
    tensors.set(parameter, tensor);
    names.set(parameter, name);
  }
  const nextState: Record<string, Tensor> = { ...state };
  const attention: Record<string, Tensor> = {};
  const context: ForwardContext = {
    training: options.training ?? false,
    temperature: options.temperature ?? scalar(1),
    read: (parameter) => {
      const tensor = tensors.get(parameter);
      if (tensor !== undefined) return tensor;
      throw new GraphError(`${currentScope() || "a module"} reads a parameter that is not a property of it`);
    },
    update: (buffer, value) => {
      nextState[names.get(buffer)!] = value;
    },
    mask:
      options.mask ??
      (() => {
        throw new GraphError("dropout in training needs masks", { hint: "pass the option `mask`" });
      }),
    recordAttention: (pi) => {
      attention[currentScope().replace(/\.?routing$/, "")] = pi;
    },
  };
  return { output: model.forward(x, context), state: nextState, attention };
}

/** A mask the step has to be fed with. */
export interface MaskRequest {
  readonly shape: readonly number[];
  readonly keep: number;
}

/** Collects the masks that a model asks for while it is applied, as further inputs of the graph. */
export function collectMasks(model: Module, inputShape: readonly number[]): readonly MaskRequest[] {
  const requests: MaskRequest[] = [];
  const state = Object.fromEntries(
    model.namedParameters().map(([name, { shape }]) => [name, input("float32", shape)]),
  );
  applyModel(model, state, input("float32", inputShape), {
    training: true,
    mask: (shape, keep) => {
      requests.push({ shape, keep });
      return input("uint8", shape);
    },
  });
  return requests;
}

/** Names of a model's trainable parameters. */
export function trainableNames(model: Module): readonly string[] {
  return model.namedParameters().flatMap(([name, { trainable }]) => (trainable ? [name] : []));
}
