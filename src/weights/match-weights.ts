import { CheckpointError } from "../errors/index.js";
import type { StoredTensor } from "../files/index.js";
import {
  type ModelState,
  type Module,
  type PlainWeights,
  type StartsPlain,
  sharedRouting,
  startsPlain,
  stateShapes,
} from "../nn/index.js";
import { elementCount, formatShape } from "../util/shape.js";
import { type NetworkNames, namesWithin, networkNames, warehouseNames } from "./foreign-names.js";
import type { Weights } from "./weights-file.js";

/** A tensor whose shape in the file differs from the model's. */
export interface ShapeMismatch {
  readonly name: string;
  readonly expected: readonly number[];
  readonly found: readonly number[];
}

/** Thrown if weights do not fit a model. */
export class WeightsMismatchError extends CheckpointError {
  constructor(
    message: string,
    /** State names that the file lacks. */
    readonly missing: readonly string[],
    /** Names in the file that the model does not have. */
    readonly unexpected: readonly string[],
    readonly misshapen: readonly ShapeMismatch[],
    hint: string,
  ) {
    super(message, { hint });
  }
}

/** A dynamic layer, and the static weights that it starts with. */
export interface PlainLayer {
  readonly path: string;
  readonly layer: StartsPlain;
  readonly plain: PlainWeights;
}

/** Where each value of a model's state comes from. */
export interface MatchedWeights {
  /** Values by our state names, except for those that come from static layers. */
  readonly state: ModelState;
  /** Layers that start as static ones, as the file has no attention for them. */
  readonly plain: readonly PlainLayer[];
  /** Notes on the names, one line each. */
  readonly notes: readonly string[];
}

/** Options of {@link matchWeights}. */
export interface MatchOptions {
  /** Name of the weights in errors, usually their path. */
  readonly source: string;
  /** State names that the file may lack, such as those of a new head. They are not read from it either. */
  readonly without?: readonly string[];
  /** Accept names that the model does not have, with a note. */
  readonly allowUnexpected?: boolean;
  /** What to do if the weights do not fit. */
  readonly hint?: string;
}

/** Batch counters, which are not needed here. */
const IGNORED = /(^|\.)num_batches_tracked$/;

/**
 * Matches a file's tensors with a model. Accepts our names, torchvision's and timm's, and those of the
 * released code of ODConv, KernelWarehouse, DCD and a popular port of dynamic convolution, also below a
 * prefix such as `backbone.`. Shapes may differ in sizes of 1 (a 1×1 convolution is a linear layer), and
 * kernels may be flat ([K, O·C·k·k]).
 *
 * A dynamic layer for which the file only has a static weight starts as that static layer.
 *
 * @throws WeightsMismatchError listing what is missing, unexpected or of another shape, and where
 */
export function matchWeights(
  model: Module,
  { tensors, metadata }: Pick<Weights, "tensors" | "metadata">,
  { source, without = [], allowUnexpected = metadata.format === "dyconv", hint }: MatchOptions,
): MatchedWeights {
  const left = new Set(without);
  const names = Object.keys(tensors).filter((name) => !IGNORED.test(name));
  const scheme = bestScheme(model, names);
  const at = (path: string) => (scheme.prefix + path) as string;
  const state: Record<string, Float32Array> = {};
  const plain: PlainLayer[] = [];
  const missing: string[] = [];
  const misshapen: ShapeMismatch[] = [];
  const used = new Set<string>();

  for (const owner of owners(model, scheme.network)) {
    const start = plainOf(owner, tensors, at);
    if (start !== undefined && !owner.parameters.some(({ name }) => left.has(name))) {
      for (const name of start.names) used.add(name);
      plain.push(start.plain);
    }
    for (const { name, shape, candidates } of owner.parameters) {
      const found = candidates.map(at).find((each) => Object.hasOwn(tensors, each));
      if (left.has(name)) {
        if (found !== undefined) used.add(found);
        continue;
      }
      if (start !== undefined) continue;
      if (found === undefined) {
        missing.push(name);
        continue;
      }
      used.add(found);
      const tensor = tensors[found]!;
      if (fits(tensor, shape)) state[name] = finite(tensor.data as Float32Array, `${source}: "${found}"`);
      else misshapen.push({ name, expected: shape, found: tensor.shape });
    }
  }
  // The file may lack what dynamic layers share if they start as static ones.
  const shared = new Set(plain.length > 0 ? sharedNames(model) : []);
  const lacking = missing.filter((name) => !shared.has(name));
  const rest = names.filter((name) => !used.has(name));
  const unexpected = rest.filter((name) => name.startsWith(scheme.prefix));
  if (lacking.length + misshapen.length > 0 || (unexpected.length > 0 && !allowUnexpected)) {
    throw mismatch(model, { missing: lacking, unexpected, misshapen, total: names.length }, source, hint);
  }
  return { state, plain, notes: notesOf(scheme, rest, metadata.format === "dyconv", source) };
}

/** State names of what dynamic layers share: cells of warehouses, and routers of blocks. */
function sharedNames(model: Module): readonly string[] {
  const routing = new Set(
    sharedRouting(model).flatMap((each) => each.namedParameters().map(([, parameter]) => parameter)),
  );
  const routers = model.namedParameters().filter(([, parameter]) => routing.has(parameter));
  return [...warehouseNames(model).keys(), ...routers.map(([name]) => name)];
}

/** A parameter, and its possible names. */
interface Named {
  readonly name: string;
  readonly shape: readonly number[];
  readonly candidates: readonly string[];
}

/** A module and the parameters that it names. For a dynamic layer, these include its branch. */
interface Owner {
  readonly path: string;
  /** In the naming scheme of the network. */
  readonly foreign: string;
  readonly module: object;
  readonly parameters: readonly Named[];
}

/**
 * The parts of a model that name parameters: dynamic layers with everything inside, and each other module on
 * its own.
 */
function owners(model: Module, network: NetworkNames): readonly Owner[] {
  const shapes = stateShapes(model);
  const modules = model.namedModules();
  const layers = modules.filter(([, module]) => startsPlain(module));
  const warehouses = warehouseNames(model);
  const below = new Map<string, { module: object; names: string[] }>();
  for (const name of Object.keys(shapes)) {
    const layer = layers.find(([path]) => path === "" || name.startsWith(`${path}.`));
    const path = layer?.[0] ?? name.slice(0, Math.max(0, name.lastIndexOf(".")));
    const module = layer?.[1] ?? modules.find(([each]) => each === path)?.[1] ?? model;
    const group = below.get(path) ?? { module, names: [] };
    group.names.push(name);
    below.set(path, group);
  }
  return Array.from(below, ([path, { module, names }]) => {
    const foreign = network.of(path);
    const parameters = names.map((name): Named => {
      const inner = path === "" ? name : name.slice(path.length + 1);
      const warehouse = warehouses.get(name);
      const within = namesWithin(module, inner).flatMap((each) => [
        join(foreign, each),
        // A module that is not one of the network's layers, such as a branch, keeps its place below one.
        ...(foreign === path ? [] : [join(path, each)]),
      ]);
      return {
        name,
        shape: shapes[name]!,
        candidates: warehouse === undefined ? within : [warehouse, ...within],
      };
    });
    return { path, foreign, module, parameters };
  });
}

const join = (path: string, name: string) => (path === "" ? name : `${path}.${name}`);

interface Scheme {
  readonly prefix: string;
  readonly network: NetworkNames;
}

/** The prefix and naming scheme that match most of a model's parameters. */
function bestScheme(model: Module, names: readonly string[]): Scheme {
  const known = new Set(names);
  const prefixes = new Set([""]);
  for (const name of names) {
    const parts = name.split(".");
    for (let n = 1; n <= Math.min(2, parts.length - 1); n++) prefixes.add(`${parts.slice(0, n).join(".")}.`);
  }
  let best: Scheme & { readonly count: number } = { prefix: "", network: networkNames(model)[0]!, count: -1 };
  for (const network of networkNames(model)) {
    const all = owners(model, network).flatMap(({ foreign, parameters }) => [
      ...parameters.map(({ candidates }) => candidates),
      // The weight of a static layer in place of a dynamic one.
      [`${foreign}.weight`],
    ]);
    for (const prefix of prefixes) {
      const count = all.filter((candidates) => candidates.some((each) => known.has(prefix + each))).length;
      if (count > best.count) best = { prefix, network, count };
    }
  }
  return best;
}

/** The static layer that the file has in place of a dynamic one. */
function plainOf(
  { path, foreign, module, parameters }: Owner,
  tensors: Weights["tensors"],
  at: (path: string) => string,
) {
  if (!startsPlain(module)) return undefined;
  const [weight, bias] = [at(join(foreign, "weight")), at(join(foreign, "bias"))];
  const tensor = tensors[weight];
  if (tensor === undefined || !fits(tensor, module.plainShape)) return undefined;
  const others = parameters.flatMap(({ candidates }) => candidates.map(at));
  if (others.some((name) => name !== weight && name !== bias && Object.hasOwn(tensors, name)))
    return undefined;
  const plain = {
    weight: tensor.data as Float32Array,
    bias: tensors[bias]?.data as Float32Array | undefined,
  };
  return {
    names: tensors[bias] === undefined ? [weight] : [weight, bias],
    plain: { path, layer: module, plain },
  };
}

/** Whether a tensor fits a shape, except for sizes of 1 and flattened experts. */
function fits({ dtype, shape }: StoredTensor, expected: readonly number[]): boolean {
  if (dtype !== "float32" || elementCount(shape) !== elementCount(expected)) return false;
  const squeezed = (sizes: readonly number[]) => sizes.filter((size) => size !== 1).join();
  const flat = shape.length === 2 && expected.length > 2 && shape[0] === expected[0];
  return flat || squeezed(shape) === squeezed(expected);
}

function finite(values: Float32Array, what: string): Float32Array {
  const odd = values.find((value) => !Number.isFinite(value));
  if (odd === undefined) return values;
  throw new CheckpointError(`${what} holds ${odd}; weights must be finite numbers`, {
    hint: "the weights have diverged or were damaged; use another checkpoint",
  });
}

function notesOf(
  { prefix, network }: Scheme,
  rest: readonly string[],
  own: boolean,
  source: string,
): string[] {
  const notes: string[] = [];
  if (prefix !== "") notes.push(`${source}: weights are those whose names begin with "${prefix}"`);
  if (network.title !== "torchvision") notes.push(`${source}: its names are those of ${network.title}`);
  if (rest.length > 0 && !own) {
    notes.push(`${source}: not part of the model, and left out: ${shortened(rest)}`);
  }
  return notes;
}

/** Number of names to list. */
const LISTED = 8;

function shortened(names: readonly string[]): string {
  const more = names.length - LISTED;
  return more > 1 ? `${names.slice(0, LISTED).join(", ")} and ${more} more` : names.join(", ");
}

interface Differences extends Pick<WeightsMismatchError, "missing" | "unexpected" | "misshapen"> {
  /** Number of tensors in the file. */
  readonly total: number;
}

function mismatch(
  model: Module,
  { missing, unexpected, misshapen, total }: Differences,
  source: string,
  hint = "the weights belong to another model, other options or other classes",
): WeightsMismatchError {
  const modules = new Map(model.namedModules());
  const shapes = stateShapes(model);
  const layers = [...modules].filter(([, module]) => startsPlain(module)).map(([path]) => path);
  const place = (name: string) => {
    const parts = name.split(".");
    const above = parts.map((_, n) => parts.slice(0, parts.length - n - 1).join("."));
    const path = above.find((each) => layers.includes(each)) ?? above.find((each) => modules.has(each)) ?? "";
    const kind = modules.get(path)!.constructor.name;
    return `in ${path === "" ? "the model" : path}, ${/^[AEIOU]/.test(kind) ? "an" : "a"} ${kind}`;
  };
  const sections = [
    section(
      "missing from it",
      missing.map((name) => `${name} ${formatShape(shapes[name]!)}, ${place(name)}`),
    ),
    section("not in the model", unexpected),
    section(
      "of another shape",
      misshapen.map(
        ({ name, expected, found }) =>
          `${name}: expected ${formatShape(expected)}, found ${formatShape(found)}, ${place(name)}`,
      ),
    ),
  ];
  const message = `${source}: its ${total} tensors do not fit the model${sections.join("")}`;
  return new WeightsMismatchError(message, missing, unexpected, misshapen, hint);
}

function section(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return "";
  const more = lines.length - LISTED;
  const shown = more > 1 ? [...lines.slice(0, LISTED), `and ${more} more`] : lines;
  return `\n  ${title} (${lines.length}):${shown.map((line) => `\n    ${line}`).join("")}`;
}
