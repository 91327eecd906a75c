/** What every dynamic layer must do, whatever its paper. A row buys a layer all of it. */
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { expect } from "vitest";
import { readSafetensors, type StoredTensor, writeSafetensors } from "../../../src/files/index.js";
import { gradients } from "../../../src/grad/index.js";
import { multiplyAdds, nodesOf, type Tensor } from "../../../src/ir/index.js";
import {
  type AttentionActivation,
  applyModel,
  beginPlain,
  initialState,
  type ModelState,
  type Module,
  startsPlain,
  stateShapes,
  stateSpecs,
  trainable,
} from "../../../src/nn/index.js";
import { mul, sum } from "../../../src/ops/index.js";
import { compile } from "../../../src/runtime/index.js";
import { exportModel } from "../../../src/ship/index.js";
import { spec, trace } from "../../../src/trace/index.js";
import { temporaryFolder } from "../../files/folder.js";
import { randomArray } from "../gradient-check.js";
import {
  convolve,
  convolveTransposed,
  entry,
  type Geometry,
  type Shape,
  size,
  type Values,
} from "./arrays.js";

type Tensors = Readonly<Record<string, Tensor>>;
/** A layer's parameters and buffers, by state name. */
export type State = Readonly<Record<string, Values>>;

/** The plain convolution that a layer is at its neutral point. */
export interface PlainConvolution extends Geometry {
  /** [O, C/groups, …]; transposed [C, O/groups, …] */
  readonly weight: Shape;
  /** Whether there is a bias, [O]. */
  readonly bias?: boolean;
  readonly transposed?: boolean;
}

/** One configuration of a layer, and what holds for it. */
export interface ContractRow {
  /** Layer and options, as the table shows them. */
  readonly name: string;
  /** Makes the layer; the same each time but for the plan. */
  readonly make: (plan: "auto" | "aggregate" | "mix-outputs" | "mix-inputs" | "unfold") => Module;
  /** Shape of one sample. */
  readonly input: Shape;
  /** Values of annealed scalars. */
  readonly annealed?: Readonly<Record<string, number>>;
  /** Other plans than the automatic one that can compute it. */
  readonly plans?: readonly ("aggregate" | "mix-outputs" | "mix-inputs" | "unfold")[];
  /** What it records by kind, or by `path.kind` where layers within it record. */
  readonly attention: Readonly<
    Record<string, { readonly activation: AttentionActivation; readonly shape: Shape }>
  >;
  /** Trainable parameters, by the closed formula. */
  readonly parameters: number;
  /** Multiply-adds of one sample, by the closed formula: convolutions, linear maps and mixing. */
  readonly multiplyAdds: number;
  /** Its output for one sample at inference, by plain loops. */
  readonly oracle: (x: Values, state: State) => Values;
  /**
   * Where it equals a plain convolution, and parameters that make it equal a given one; a layer that is no convolution
   * has no such point.
   *
   * @returns the parameters that differ from the given state
   */
  readonly neutral?: {
    readonly plain: PlainConvolution;
    readonly state: (state: State, kernel: Values, bias: Values | undefined) => State;
  };
}

/** What a row's checks share. */
export interface Subject {
  readonly row: ContractRow;
  readonly layer: Module;
  readonly state: ModelState;
  /** Evaluates a batch of any size: compiled with an open batch. */
  readonly evaluate: (state: ModelState, x: Float32Array) => Promise<Evaluated>;
  /** A training pass over a batch, compiled when it is first asked for. */
  readonly train: () => ReturnType<typeof trained>;
  readonly dispose: () => Promise<void>;
}

interface Evaluated {
  readonly y: Float32Array;
  readonly attention: Readonly<Record<string, Float32Array>>;
}

const BATCH = 3;
const xOf = ({ input, name }: ContractRow, batch: number) => randomArray(batch * size(input), `x of ${name}`);

/** Every parameter random, variances positive, so that nothing is at its neutral point. */
function randomState(layer: Module, name: string): ModelState {
  return Object.fromEntries(
    Object.entries(stateShapes(layer)).map(([key, shape]) => {
      const noise = randomArray(size(shape), `${key} of ${name}`);
      if (key.endsWith("running_var")) return [key, noise.map((v) => 0.5 + Math.abs(v))];
      return [key, noise.map((v) => (/norm\.weight$/i.test(key) ? 1 + 0.2 * v : 0.4 * v))];
    }),
  );
}

const kindsOf = (attention: ReturnType<typeof applyModel>["attention"]) =>
  Object.fromEntries(
    Object.entries(attention).flatMap(([path, kinds]) =>
      Object.entries(kinds).map(
        ([kind, recorded]) => [path === "" ? kind : `${path}.${kind}`, recorded] as const,
      ),
    ),
  );

/** Compiles what the checks of a row share. */
export async function subjectOf(row: ContractRow): Promise<Subject> {
  const layer = row.make("auto");
  const fn = await compile(
    (tensors: Tensors, x: Tensor) => {
      const { output, attention } = applyModel(layer, tensors, x, { annealed: row.annealed ?? {} });
      const values = Object.entries(kindsOf(attention)).map(([kind, recorded]) => [kind, recorded.values]);
      return { y: output, attention: Object.fromEntries(values) as Tensors };
    },
    [stateSpecs(layer), spec(["batch", ...row.input])],
  );
  let training: ReturnType<typeof trained> | undefined;
  const train = () => {
    training ??= trained(row, layer, BATCH);
    return training;
  };
  return {
    ...{ row, layer, state: randomState(layer, row.name), train },
    evaluate: async (state, x) => {
      const { y, attention } = await fn(state, x);
      return { y: (y as Float32Array).slice(), attention: attention as Record<string, Float32Array> };
    },
    dispose: async () => {
      await fn.dispose();
      await (await training)?.fn.dispose();
    },
  };
}

function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(actual.length, what).toBe(expected.length);
  let [worst, scale] = [0, 1e-3];
  for (let i = 0; i < expected.length; i++) {
    const distance = Math.abs(actual[i]! - expected[i]!);
    worst = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : Math.max(worst, distance);
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  expect(worst / scale, what).toBeLessThan(tolerance);
}

const asValues = (layer: Module, state: ModelState): State =>
  Object.fromEntries(
    Object.entries(stateShapes(layer)).map(([name, shape]) => [name, { shape, data: state[name]! }]),
  );

/** Each sample's output, one after the other. */
function oracleOf({ row, layer }: Subject, state: ModelState, x: Float32Array): number[] {
  const shape = [x.length / size(row.input), ...row.input];
  return Array.from({ length: shape[0]! }, (_, n) =>
    Array.from(row.oracle(entry({ shape, data: x }, n), asValues(layer, state)).data),
  ).flat();
}

/** Output, next state and gradients of Σ y·w in training. */
async function trained(row: ContractRow, layer: Module, batch: number) {
  const names = Object.keys(trainable(layer, stateShapes(layer)));
  const fn = await compile(
    (tensors: Tensors, x: Tensor, w: Tensor) => {
      const applied = applyModel(layer, tensors, x, { training: true, annealed: row.annealed ?? {} });
      const by = { ...Object.fromEntries(names.map((name) => [name, tensors[name]!])), x };
      const slopes = gradients(sum(mul(applied.output, w)), by);
      return { y: applied.output, slopes, state: applied.state };
    },
    [stateSpecs(layer), spec([batch, ...row.input]), spec(outputShape(row, layer, batch))],
  );
  return { fn, names };
}

function outputShape(row: ContractRow, layer: Module, batch: number): readonly number[] {
  const { graph } = trace(
    (tensors: Tensors, x: Tensor) => applyModel(layer, tensors, x).output,
    [stateSpecs(layer), spec([batch, ...row.input])],
  );
  return graph.outputs[0]!.tensor.shape as readonly number[];
}

/** Derivatives along random directions, of x and of each parameter in turn. */
async function checkGradients({ row, layer, state, train }: Subject): Promise<void> {
  const { fn, names } = await train();
  const x = xOf(row, BATCH);
  const w = randomArray(size(outputShape(row, layer, BATCH)), "weights");
  const objective = async (at: ModelState & { readonly x: Float32Array }) => {
    const { x: image, ...rest } = at;
    const { y } = await fn({ ...state, ...rest }, image, w);
    return (y as Float32Array).reduce((sum, value, i) => sum + value * w[i]!, 0);
  };
  const { slopes } = await fn(state, x, w);
  const analytic = Object.fromEntries(
    Object.entries(slopes).map(([name, slope]) => [name, (slope as Float32Array).slice()]),
  );
  const here = { ...state, x };
  const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
  const scale = Math.max(...Object.values(analytic).map((slope) => norm(slope) / Math.sqrt(slope.length)));
  for (const name of [...names, "x"]) {
    const values = here[name as "x"];
    for (let n = 0; n < 2; n++) {
      const direction = randomArray(values.length, `direction ${n} of ${name}`);
      const expected = analytic[name]!.reduce((sum, v, i) => sum + v * direction[i]!, 0);
      const unit = Math.max(norm(analytic[name]!), 0.02 * scale);
      // A large step may cross a kink of ReLU, a small one meets rounding: one of them must agree.
      let least = Number.POSITIVE_INFINITY;
      for (const reach of [2e-3, 8e-3, 5e-4]) {
        const step = reach / Math.max(1, norm(direction) / 4);
        const moved = (sign: number) => values.map((v, i) => v + sign * step * direction[i]!);
        const above = await objective({ ...here, [name]: moved(1) } as never);
        const below = await objective({ ...here, [name]: moved(-1) } as never);
        least = Math.min(least, Math.abs((above - below) / (2 * step) - expected) / unit);
        if (least < 0.01) break;
      }
      expect(least, `gradient by ${name}`).toBeLessThan(0.03);
    }
  }
}

/** With one sample there is no variance of a pooled vector: it trains all the same. */
async function checkBatchOfOne(subject: Subject): Promise<void> {
  const { row, layer, state } = subject;
  const { fn } = await trained(row, layer, 1);
  const x = xOf(row, 1);
  const w = randomArray(size(outputShape(row, layer, 1)), "weights");
  const { y, slopes, state: next } = await fn(state, x, w);
  await fn.dispose();
  for (const slope of Object.values(slopes))
    expect((slope as Float32Array).every(Number.isFinite)).toBe(true);
  for (const value of Object.values(next)) expect((value as Float32Array).every(Number.isFinite)).toBe(true);
  expect((y as Float32Array).every(Number.isFinite)).toBe(true);
  const untouched = Object.entries(next).every(([name, value]) =>
    (value as Float32Array).every((v, i) => v === state[name]![i]),
  );
  if (untouched)
    expectClose(y as Float32Array, (await subject.evaluate(state, x)).y, 1e-5, "as at inference");
}

async function checkNeutral(subject: Subject): Promise<void> {
  const { row, layer, state } = subject;
  const { plain, state: toNeutral } = row.neutral!;
  const kernel: Values = { shape: plain.weight, data: randomArray(size(plain.weight), "kernel") };
  const out = plain.transposed ? plain.weight[1]! * (plain.groups ?? 1) : plain.weight[0]!;
  const bias: Values | undefined = plain.bias ? { shape: [out], data: randomArray(out, "bias") } : undefined;
  const changes = toNeutral(asValues(layer, state), kernel, bias);
  const set = Object.entries(changes).map(([name, { shape, data }]) => {
    expect(shape, name).toEqual(stateShapes(layer)[name]);
    return [name, Float32Array.from(data)];
  });
  const x = xOf(row, 2);
  const { y } = await subject.evaluate({ ...state, ...Object.fromEntries(set) }, x);
  const apply = plain.transposed ? convolveTransposed : convolve;
  const expected = [0, 1].flatMap((n) =>
    Array.from(apply(entry({ shape: [2, ...row.input], data: x }, n), kernel, bias, plain).data),
  );
  expectClose(y, expected, 1e-5, "plain convolution");
  if (!startsPlain(layer)) return;
  expect(layer.plainShape).toEqual(plain.weight);
  const begun = Object.fromEntries(Object.entries(state).map(([name, values]) => [name, values.slice()]));
  const weights = {
    weight: Float32Array.from(kernel.data),
    bias: bias && Float32Array.from(bias.data),
  };
  beginPlain(layer, begun, [{ path: "", layer, plain: weights }], { noise: 0.3 });
  // Only at rest is the ownership of KernelWarehouse out of play.
  const started =
    "ownership" in (row.annealed ?? {}) ? await atRest(subject, begun, x) : await subject.evaluate(begun, x);
  expectClose(started.y, expected, 1e-5, "begun as a plain convolution");
}

/** The layer with annealed scalars at rest. */
async function atRest(
  { layer, row }: Subject,
  state: ModelState,
  x: Float32Array,
): Promise<{ y: Float32Array }> {
  const fn = await compile(
    (tensors: Tensors, images: Tensor) => ({ y: applyModel(layer, tensors, images).output }),
    [stateSpecs(layer), spec([2, ...row.input])],
  );
  const { y } = await fn(state, x);
  const copied = (y as Float32Array).slice();
  await fn.dispose();
  return { y: copied };
}

async function checkBatch(subject: Subject): Promise<void> {
  const { row, state } = subject;
  const x = xOf(row, BATCH);
  const { y: together } = await subject.evaluate(state, x);
  const alone: number[] = [];
  for (let n = 0; n < BATCH; n++) {
    const { y } = await subject.evaluate(state, x.slice(n * size(row.input), (n + 1) * size(row.input)));
    alone.push(...y);
  }
  expectClose(together, alone, 1e-5, "samples one by one");
}

async function checkExport(subject: Subject): Promise<void> {
  const { row, layer, state } = subject;
  const bytes = exportModel(layer, state, {
    inputShape: row.input,
    attention: true,
    annealed: row.annealed ?? {},
  });
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4 });
  for (const batch of [2, 1]) {
    const x = xOf(row, batch);
    const results = await session.run({ images: new ort.Tensor("float32", x, [batch, ...row.input]) });
    const { y, attention } = await subject.evaluate(state, x);
    expectClose(results.logits!.data as Float32Array, y, 2e-5, "exported output");
    for (const [kind, values] of Object.entries(attention)) {
      const name = Object.keys(results).find((key) => key.endsWith(kind));
      expectClose(results[name!]!.data as Float32Array, values, 2e-5, `exported attention ${kind}`);
    }
  }
  await session.release();
}

function checkFormulas({ row, layer }: Subject): void {
  const shapes = Object.values(trainable(layer, stateShapes(layer)));
  expect(
    shapes.reduce((sum, shape) => sum + size(shape), 0),
    "parameters",
  ).toBe(row.parameters);
  const { graph } = trace(
    (tensors: Tensors, x: Tensor) => applyModel(layer, tensors, x).output,
    [stateSpecs(layer), spec([1, ...row.input])],
  );
  const counted = nodesOf(graph).reduce((sum, node) => sum + multiplyAdds(node), 0);
  expect(counted, "multiply-adds").toBe(row.multiplyAdds);
}

async function checkPlans({ row, layer, state, train }: Subject): Promise<void> {
  const [x, results] = [xOf(row, BATCH), [] as Readonly<Record<string, Float32Array>>[]];
  const w = randomArray(size(outputShape(row, layer, BATCH)), "weights");
  for (const plan of ["auto", ...(row.plans ?? [])] as const) {
    const { fn } = plan === "auto" ? await train() : await trained(row, row.make(plan), BATCH);
    const { y, slopes } = await fn(state, x, w);
    const copies = Object.entries({ y, ...slopes }).map(([name, values]) => [
      name,
      (values as Float32Array).slice(),
    ]);
    results.push(Object.fromEntries(copies));
    if (plan !== "auto") await fn.dispose();
  }
  for (const other of results.slice(1)) {
    for (const [name, values] of Object.entries(results[0]!)) expectClose(other[name]!, values, 1e-5, name);
  }
}

async function checkAttention(subject: Subject): Promise<void> {
  const { row, layer, state } = subject;
  const { attention } = await subject.evaluate(state, xOf(row, 2));
  const found = new Map<string, { activation: string; shape: readonly unknown[] }>();
  trace(
    (tensors: Tensors, x: Tensor) => {
      const applied = applyModel(layer, tensors, x);
      for (const [kind, { values, activation, axis }] of Object.entries(kindsOf(applied.attention))) {
        expect(axis, kind).toBeGreaterThan(0);
        expect(axis, kind).toBeLessThan(values.shape.length);
        found.set(kind, { activation, shape: values.shape.slice(1) });
      }
      return applied.output;
    },
    [stateSpecs(layer), spec(["batch", ...row.input])],
  );
  expect(Object.fromEntries(found)).toEqual(row.attention);
  for (const [kind, { activation }] of Object.entries(row.attention)) {
    const each = Array.from(attention[kind]!);
    if (activation === "other") continue;
    expect(
      each.every((v) => v > 0 && v < 1),
      kind,
    ).toBe(true);
    // Samples differ: attention depends on its input.
    expect(each.slice(0, each.length / 2)).not.toEqual(each.slice(each.length / 2));
  }
}

/** First values depend on the seed alone; a file gives back what was written under the state's names. */
async function checkState({ row, layer, state, evaluate }: Subject): Promise<void> {
  const [first, again] = [initialState(layer, 1), initialState(row.make("auto"), 1)];
  expect(again).toEqual(first);
  expect(initialState(layer, 2)).not.toEqual(first);
  expect(Object.values(first).every((data) => data.every(Number.isFinite))).toBe(true);
  const path = join(await temporaryFolder(), "state.safetensors");
  const stored = Object.entries(stateShapes(layer)).map(([name, shape]): [string, StoredTensor] => [
    name,
    { dtype: "float32", shape, data: state[name]! },
  ]);
  await writeSafetensors(path, Object.fromEntries(stored));
  const { tensors } = await readSafetensors(path);
  const read = Object.entries(tensors).map(([name, { data }]) => [name, data as Float32Array]);
  const x = xOf(row, 2);
  expect((await evaluate(Object.fromEntries(read), x)).y).toEqual((await evaluate(state, x)).y);
}

/** The contract, by the heading of its column. */
export const CONTRACT: Readonly<Record<string, (subject: Subject) => Promise<void> | void>> = {
  "neutral point": checkNeutral,
  oracle: async (subject) => {
    const x = xOf(subject.row, 2);
    const { y } = await subject.evaluate(subject.state, x);
    expectClose(y, oracleOf(subject, subject.state, x), 1e-5, "plain loops");
  },
  gradients: checkGradients,
  "batch = samples": checkBatch,
  "trains on 1": checkBatchOfOne,
  state: checkState,
  export: checkExport,
  formulas: checkFormulas,
  plans: checkPlans,
  attention: checkAttention,
};
