import { GraphError, ShapeError } from "../errors/index.js";
import { atScope, currentScope, type Tensor } from "../ir/index.js";
import { scalar } from "../ops/index.js";
import { Ambient } from "../util/ambient.js";
import { formatShape, sameShape } from "../util/shape.js";
import type { AnnealedScalar } from "./annealed-scalar.js";
import type { ForwardContext, RecordedAttention } from "./context.js";
import { type AnyModule, below, type Module } from "./module.js";
import type { Parameter } from "./parameter.js";

/** One call of a module. */
export interface ModuleCall {
  readonly module: AnyModule;
  /** Path of the module, `""` for the model itself. */
  readonly path: string;
  readonly input: Tensor;
  readonly output: Tensor;
}

/** Options of {@link applyModel}. */
export interface ApplyOptions {
  /** Batch statistics and dropout if `true`. Defaults to `false`. */
  readonly training?: boolean;
  /** Values of the model's annealed scalars by name. Each defaults to its resting value, as at inference. */
  readonly annealed?: Readonly<Record<string, Tensor | number>>;
  /** Provides dropout masks. Required for a model with dropout in training. */
  readonly mask?: ForwardContext["mask"];
  /** Called after each module call, inner ones first, to inspect intermediate values. */
  readonly onCall?: (call: ModuleCall) => void;
  /**
   * Replaces attention that a layer records with other values of the same shape. The replaced values are what is used
   * and recorded.
   */
  readonly replaceAttention?: (place: AttentionPlace, attention: RecordedAttention) => Tensor;
}

/** Identifies one attention of a network. */
export interface AttentionPlace {
  /** Path of the layer, as in {@link Applied.attention}. */
  readonly layer: string;
  readonly kind: string;
}

/** Result of {@link applyModel}. */
export interface Applied {
  readonly output: Tensor;
  /** The state after the call: running statistics updated, everything else unchanged. */
  readonly state: Readonly<Record<string, Tensor>>;
  /**
   * Attention by the path of the layer that recorded it, then by kind. Further calls of the same layer appear as
   * `path#2`, `path#3`, ….
   */
  readonly attention: Readonly<Record<string, Readonly<Record<string, RecordedAttention>>>>;
}

/**
 * Applies a model to `x`.
 *
 * @param state parameters and buffers by state name; other names are passed through
 * @throws GraphError if the state lacks a parameter, or `annealed` has a name unknown to the model
 */
export function applyModel(
  model: Module,
  state: Readonly<Record<string, Tensor>>,
  x: Tensor,
  options: ApplyOptions = {},
): Applied {
  const pass = new ForwardPass(model, state, options);
  return { output: pass.call(model, x), state: pass.state, attention: pass.attention };
}

/** One application of a model: knows the path of each module and the tensor of each parameter. */
class ForwardPass implements ForwardContext {
  readonly training: boolean;
  readonly state: Record<string, Tensor>;
  readonly attention: Record<string, Record<string, RecordedAttention>> = {};
  readonly #names: ReadonlyMap<Parameter, string>;
  readonly #paths: ReadonlyMap<AnyModule, string>;
  readonly #options: ApplyOptions;
  /** Scope in which the model is called. */
  readonly #scope = currentScope();
  /** Path of the module being called. */
  readonly #caller = new Ambient("");

  constructor(model: Module, state: Readonly<Record<string, Tensor>>, options: ApplyOptions) {
    const parameters = model.namedParameters();
    for (const [name] of parameters) {
      if (state[name] === undefined) throw new GraphError(`the state has no "${name}"`);
    }
    checkAnnealed(model, options);
    this.#names = new Map(parameters.map(([name, parameter]) => [parameter, name]));
    this.#paths = new Map(model.namedModules().map(([path, module]) => [module, path]));
    this.#options = options;
    this.state = { ...state };
    this.training = options.training ?? false;
  }

  read(parameter: Parameter): Tensor {
    return this.state[this.#nameOf(parameter)]!;
  }

  update(buffer: Parameter, value: Tensor): void {
    this.state[this.#nameOf(buffer)] = value;
  }

  annealed({ name, rest }: AnnealedScalar): Tensor {
    const value = this.#options.annealed?.[name] ?? rest;
    return typeof value === "number" ? scalar(value) : value;
  }

  mask(shape: readonly number[], keep: number): Tensor {
    const { mask } = this.#options;
    if (mask !== undefined) return mask(shape, keep);
    throw new GraphError("dropout in training needs masks", { hint: "pass the option `mask`" });
  }

  recordAttention(kind: string, attention: RecordedAttention): Tensor {
    const path = this.#caller.current;
    let layer = path;
    for (let n = 2; this.attention[layer]?.[kind] !== undefined; n++) layer = `${path}#${n}`;
    const values = this.#options.replaceAttention?.({ layer, kind }, attention) ?? attention.values;
    assertShape(values, attention.values, `attention that replaces "${kind}" of ${layer || "the model"}`);
    this.attention[layer] = { ...this.attention[layer], [kind]: { ...attention, values } };
    return values;
  }

  call<More extends readonly Tensor[]>(module: Module<More>, x: Tensor, ...more: More): Tensor {
    const known = module as unknown as AnyModule;
    const path = this.#paths.get(known);
    // A module created within `forward` belongs to its caller.
    if (path === undefined) return module.forward(x, this, ...more);
    const output = this.#caller.run(path, () =>
      atScope(below(this.#scope, path), () => module.forward(x, this, ...more)),
    );
    this.#options.onCall?.({ module: known, path, input: x, output });
    return output;
  }

  #nameOf(parameter: Parameter): string {
    const name = this.#names.get(parameter);
    if (name !== undefined) return name;
    throw new GraphError(
      `${this.#caller.current || "the model"} reads a parameter that is not one of its properties`,
      {
        hint: "keep parameters and modules in properties that are not #private; arrays and plain objects are fine",
      },
    );
  }
}

function assertShape(values: Tensor, expected: Tensor, what: string): void {
  if (sameShape(values.shape, expected.shape)) return;
  throw new ShapeError(what, formatShape(expected.shape), formatShape(values.shape));
}

function checkAnnealed(model: Module, { annealed = {} }: ApplyOptions): void {
  const declared = model.annealedScalars().map(({ name }) => name);
  for (const name of Object.keys(annealed)) {
    if (declared.includes(name)) continue;
    throw new GraphError(`the model has no annealed scalar "${name}"`, {
      hint: declared.length === 0 ? "it has none" : `it has: ${declared.join(", ")}`,
    });
  }
}
