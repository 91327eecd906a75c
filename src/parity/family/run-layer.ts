import type { z } from "zod";
import { DataError } from "../../errors/index.js";
import { gradients } from "../../grad/index.js";
import type { Tensor } from "../../ir/index.js";
import { type Applied, applyModel, type ForwardContext, Module, stateShapes } from "../../nn/index.js";
import { add, mul, sum } from "../../ops/index.js";
import { compile } from "../../runtime/index.js";
import { spec } from "../../trace/index.js";
import { formatShape } from "../../util/shape.js";
import { parseOptions } from "../parse-options.js";
import { type CaseRun, type CaseRunner, type CaseValues, type FamilyCase, ownOnly } from "./family-case.js";

type Tensors = Readonly<Record<string, Tensor>>;

/** One or more layers, and how a case calls them. */
export interface Subject {
  /** Modules and parameters by their names in the case's state: a layer, or a record of layers. */
  readonly members: object;
  /**
   * Computes results by name, such as `y`, from the case's inputs. Attention is taken from the layers'
   * records.
   */
  readonly forward: (inputs: Tensors, context: ForwardContext) => Tensors;
  /** Names of the inputs that it reads. Defaults to `x`. */
  readonly needs?: readonly string[];
  /** Values of annealed scalars. Default to their final values. */
  readonly annealed?: Readonly<Record<string, number>>;
  /** Results of a static convolution, by the name of the result that must equal them at the neutral point. */
  readonly plain?: (tensors: Tensors) => Tensors;
}

/** Settings that are read from a case's options before the layer is created. */
export interface SubjectSettings {
  readonly testCase: FamilyCase;
  readonly plan: CaseRun["plan"];
}

/**
 * Creates a runner for the cases of one layer: results, attention, buffers after the step, and gradients of Σ
 * y·dy.
 *
 * @param schema of the case's options
 * @param subject creates the layer from them
 */
export function runnerOf<S extends z.ZodType<{ readonly mode?: "train" | "eval" | undefined }>>(
  schema: S,
  subject: (options: z.infer<S>, settings: SubjectSettings) => Subject,
): CaseRunner {
  return ({ testCase, values, plan, runtime }) => {
    const options = parseOptions(testCase, schema);
    const made = subject(options, { testCase, plan });
    return runSubject(made, { testCase, values, training: options.mode === "train", runtime });
  };
}

/** The subject as a model with the state names of its members. */
class Root extends Module {
  readonly #subject: Subject;
  readonly #inputs: Tensors;
  results: Tensors = {};

  constructor(subject: Subject, inputs: Tensors) {
    super();
    this.#subject = subject;
    this.#inputs = inputs;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    this.results = this.#subject.forward(this.#inputs, context);
    return x;
  }

  protected override properties(): readonly (readonly [string, unknown])[] {
    return Object.entries(this.#subject.members);
  }
}

async function runSubject(
  subject: Subject,
  {
    testCase,
    values,
    training,
    runtime,
  }: Pick<CaseRun, "testCase" | "values" | "runtime"> & {
    readonly training: boolean;
  },
): Promise<CaseValues> {
  const { state, inputs, outputs, plain = [] } = testCase;
  const stateNames = [...Object.keys(state.parameters), ...Object.keys(state.buffers)];
  expectInputs(testCase, subject.needs);
  expectState(testCase, new Root(subject, {}));
  const names = [...new Set([...stateNames, ...inputs, ...plain])];
  const specs = Object.fromEntries(names.map((name) => [name, spec(testCase.tensors[name]!)]));
  const fn = await compile(
    (tensors: Tensors) => {
      const root = new Root(subject, tensors);
      const applied = applyModel(root, tensors, tensors[names[0]!]!, {
        training,
        annealed: subject.annealed ?? {},
      });
      const found = { ...root.results, ...attentionByName(applied.attention), ...buffersOf(applied) };
      const { by, objective } = objectiveOf(testCase, tensors, root.results);
      const slopes = objective === undefined ? {} : gradients(objective, by);
      for (const [name, gradient] of Object.entries(slopes)) found[`grad.${name}`] = gradient;
      const results = outputs.flatMap((name) =>
        found[name] === undefined ? [] : [[name, found[name]] as const],
      );
      const flat = plain.length === 0 ? {} : (subject.plain?.(tensors) ?? {});
      return {
        results: Object.fromEntries(results),
        plain: Object.fromEntries(Object.entries(flat).map(([name, y]) => [`plain.${name}`, y])),
      };
    },
    [specs],
    runtime,
  );
  const { results, plain: flat } = await fn(
    Object.fromEntries(names.map((name) => [name, values[name] as Float32Array])),
  );
  await fn.dispose();
  return { ...results, ...flat } as CaseValues;
}

/**
 * Attention by the names used in cases: `attention` for a layer's only kind, `attention.KIND` for one of
 * several, with the layer's path before the kind if there are several layers.
 */
function attentionByName(attention: Applied["attention"]): Record<string, Tensor> {
  const named: [string, Tensor][] = [];
  for (const [path, kinds] of Object.entries(attention)) {
    const layer = path === "" ? "attention" : `attention.${path}`;
    for (const [kind, { values }] of Object.entries(kinds)) named.push([`${layer}.${kind}`, values]);
    const [only, ...others] = Object.values(kinds);
    if (only !== undefined && others.length === 0) named.push([layer, only.values]);
  }
  return Object.fromEntries(named);
}

function buffersOf({ state }: Applied): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [`buffer.${name}`, value]));
}

/** Σ y·dy over all results with a dy, and the tensors to differentiate it by. */
function objectiveOf({ outputs }: FamilyCase, tensors: Tensors, results: Tensors) {
  const terms = Object.entries(results).flatMap(([name, y]) => {
    const dy = name === "y" || name.startsWith("y.") ? tensors[`d${name}`] : undefined;
    return dy === undefined ? [] : [sum(mul(y, dy))];
  });
  const by = outputs.flatMap((name) => {
    const of = name.startsWith("grad.") ? name.slice("grad.".length) : "";
    return tensors[of] === undefined ? [] : [[of, tensors[of]] as const];
  });
  const objective = terms.length === 0 || by.length === 0 ? undefined : terms.reduce((a, b) => add(a, b));
  return { objective, by: Object.fromEntries(by) };
}

/**
 * Checks that the case has what the layer reads, a gradient of each result if it has gradients, and a static kernel for
 * each if it has any.
 */
function expectInputs(
  { file, inputs, outputs, plain = [] }: FamilyCase,
  needs: readonly string[] = ["x"],
): void {
  const results = outputs.filter((name) => /^y(\.|$)/.test(name));
  const slopes = outputs.some((name) => name.startsWith("grad.")) ? results.map((name) => `d${name}`) : [];
  const kernels = plain.length > 0 ? results.map((name) => name.replace("y", "plain.weight")) : [];
  const given = [...inputs, ...plain];
  const missing = [...needs, ...slopes, ...kernels].find((name) => !given.includes(name));
  if (missing === undefined) return;
  throw new DataError(`${file}: the layer needs "${missing}", which is not among the case's inputs`, {
    hint: "the index and its files must have been written together; write both anew",
  });
}

/** Checks that the layer's parameters and buffers are those that the case lists. */
function expectState(testCase: FamilyCase, root: Root): void {
  const { file, state, tensors } = testCase;
  const ours = ownOnly(stateShapes(root));
  const buffers = root.namedParameters().flatMap(([name, { trainable }]) => (trainable ? [] : [name]));
  const listed: Readonly<Record<string, readonly number[]>> = ownOnly({
    ...state.parameters,
    ...state.buffers,
  });
  for (const name of new Set([...Object.keys(ours), ...Object.keys(listed)])) {
    const shown = (shape: readonly number[] | undefined) => (shape ? formatShape(shape) : "absent");
    const trained = name in state.parameters === !buffers.includes(name);
    const shapes = [ours[name], listed[name], tensors[name]].map((shape) => shape?.join());
    if (trained && shapes.every((shape) => shape === shapes[0])) continue;
    const what = buffers.includes(name) ? "buffer" : "parameter";
    throw new DataError(
      `${file}: by its options the layer has the ${what} "${name}" ${shown(ours[name])}; the case lists ${shown(listed[name])}, its file ${shown(tensors[name])}`,
      { hint: "the index and its files must have been written together; write both anew" },
    );
  }
}
