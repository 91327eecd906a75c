import { expectWithin } from "../errors/expect.js";
import { UsageError } from "../errors/index.js";
import { RandomStream } from "../util/random.js";
import { elementCount, formatShape } from "../util/shape.js";
import {
  type PlainWeights,
  type StartsPlain,
  type StartsUniform,
  startsPlain,
  startsUniform,
} from "./dynamic/plain-start.js";
import type { AnyModule, Module } from "./module.js";
import type { Parameter } from "./parameter.js";
import { initialState, type ModelState } from "./state.js";

/** Options of {@link startFromStatic}. */
export interface FromStaticOptions {
  /**
   * Standard deviation of the noise that makes experts differ initially, relative to the kernel's root mean square.
   * Defaults to 0.1. The noise sums to zero over a layer's experts, so the network's output is unchanged. Without
   * noise, the experts of a mixture receive equal gradients forever.
   */
  readonly noise?: number;
  /** Seed of the noise and of all values not taken from the static network. Defaults to 42. */
  readonly seed?: number;
}

/**
 * The state of a dynamic network that computes the same as a trained static one. Each dynamic layer starts at its
 * neutral point with the kernel of the corresponding convolution; all other values are copied by name.
 *
 * @param model the dynamic network, with the state names of the static one
 * @param state the static network's state
 * @throws UsageError if a value that the dynamic network needs is missing from the static one or has the wrong size, or
 * if a layer cannot start from a static one
 *
 * @example
 * const model = new ResNet("resnet18", { dynamic: { layer: "odconv", experts: 4 } });
 * const state = startFromStatic(model, trained);
 */
export function startFromStatic(
  model: Module,
  state: ModelState,
  { noise = 0.1, seed = 42 }: FromStaticOptions = {},
): ModelState {
  const begun: Record<string, Float32Array> = { ...initialState(model, seed) };
  const dynamic = model.namedModules().filter((entry): entry is [string, AnyModule & StartsPlain] => {
    const [path, module] = entry;
    return startsPlain(module) && isPlain(path, module, state);
  });
  const shared = dynamic.length > 0 ? sharedRouting(model) : [];
  const within = [...dynamic.map(([, layer]) => layer), ...shared].flatMap((module) =>
    module.namedParameters().map(([, parameter]) => parameter),
  );
  const inner = new Set(within);
  for (const [name, parameter] of model.namedParameters()) {
    if (inner.has(parameter)) continue;
    const values = state[name];
    if (values?.length !== elementCount(parameter.shape)) {
      const found = values === undefined ? "no such value" : `${values.length} values`;
      throw new UsageError(
        `expected "${name}" of the static network with shape ${formatShape(parameter.shape)}, found ${found}`,
        { hint: "the networks must be identical except for their dynamic layers" },
      );
    }
    begun[name] = values.slice();
  }
  const plain = dynamic.map(([path, layer]) => ({ path, layer, plain: plainAt(path, state) }));
  beginPlain(model, begun, plain, { noise, seed });
  return begun;
}

/**
 * Initializes layers from plain ones.
 *
 * @param state state of the whole model, modified in place
 */
export function beginPlain(
  model: Module,
  state: Readonly<Record<string, Float32Array>>,
  layers: readonly { readonly path: string; readonly layer: StartsPlain; readonly plain: PlainWeights }[],
  { noise = 0.1, seed = 42 }: FromStaticOptions = {},
): void {
  expectWithin("the noise of experts", noise, { from: 0 });
  const names = new Map(model.namedParameters().map(([name, parameter]) => [parameter, name]));
  const values = (parameter: Parameter) => state[names.get(parameter)!]!;
  const startOf = (path: string) => ({
    noise,
    random: new RandomStream(seed, `plain start ${path}`),
    values,
  });
  for (const { path, layer, plain } of layers) layer.startPlain(plain, startOf(path));
  if (layers.length > 0) for (const routing of sharedRouting(model)) routing.startUniform(startOf(""));
}

/** Routing modules outside the layers that they serve. */
export function sharedRouting(model: Module): readonly (AnyModule & StartsUniform)[] {
  const modules = model.namedModules();
  const layers = modules.filter(([, module]) => startsPlain(module)).map(([path]) => path);
  return modules.flatMap(([path, module]) =>
    startsUniform(module) && !layers.some((layer) => path.startsWith(named(layer, ""))) ? [module] : [],
  );
}

/** Joins a path and a name; the path may be empty. */
const named = (path: string, name: string) => (path === "" ? name : `${path}.${name}`);

/** Whether the state holds a plain layer's weight in place of a dynamic layer, and nothing else of that layer. */
function isPlain(path: string, layer: AnyModule & StartsPlain, state: ModelState): boolean {
  const weight = state[named(path, "weight")];
  const others = layer.namedParameters().map(([name]) => name);
  return (
    weight?.length === elementCount(layer.plainShape) &&
    !others.some((name) => name !== "weight" && name !== "bias" && named(path, name) in state)
  );
}

function plainAt(path: string, state: ModelState): PlainWeights {
  return { weight: state[named(path, "weight")]!, bias: state[named(path, "bias")] };
}
