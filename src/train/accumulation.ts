import type { TensorData, Tensors } from "../ir/index.js";
import { type ModelState, type TrainingInputs, trainable } from "../nn/index.js";
import { compile, compileStep, type RuntimeOptions } from "../runtime/index.js";
import type { TensorSpec } from "../trace/index.js";
import { elementCount } from "../util/shape.js";
import {
  type BatchArrays,
  type CompiledTraining,
  rowSpecs,
  SETTINGS,
  type StepSettings,
  settingArrays,
  type TrainingDesign,
} from "./compiled-training.js";
import { gradientStep, updateStep } from "./step.js";

/** Accumulated over the parts of a batch. */
interface Sums {
  readonly gradients: Readonly<Record<string, Float32Array>>;
  readonly buffers: Readonly<Record<string, Float32Array>>;
  readonly loss: Float32Array;
  readonly measured: Float32Array;
}

/**
 * Compiles a step as two graphs. The first computes gradients, buffers, loss and measure of one part of the
 * batch, which are accumulated; the second updates the parameters.
 */
export async function openAccumulation(
  design: TrainingDesign,
  asked: TrainingInputs,
  runtime: RuntimeOptions,
): Promise<CompiledTraining> {
  const { batchSize, accumulate: parts = 1 } = design;
  const layout = sumsLayout(design);
  const total = new Bucket(layout);
  const part = parts === 1 ? total : new Bucket(layout);
  const inTurn = { ...runtime, sharesCores: true };
  const gradientGraph = await compileGradients(design, asked, inTurn);
  const updateGraph = await compileUpdate(design, inTurn);

  const sumParts = async (batch: BatchArrays, settings: StepSettings) => {
    const state = (await updateGraph.state()) as ModelState;
    const given = asked.partValues(settings.step, settings.annealed);
    for (let n = 0; n < parts; n++) {
      const into = n === 0 ? total : part;
      const rows = takePart(batch, n, parts, batchSize);
      await gradientGraph.into(into.sums, modelState(design, state), { ...rows, ...given[n] });
      if (n > 0) total.add(part);
    }
  };
  return {
    run: async (batch, settings) => {
      await sumParts(batch, settings);
      const { gradients, buffers, loss, measured } = total.sums;
      const { learningRate, step } = settingArrays(settings);
      const fed = { ...prefixed("gradients.", gradients), ...prefixed("buffers.", buffers) };
      const { gradientNorm } = await updateGraph.run({ ...fed, learningRate, step });
      return {
        loss: loss[0]!,
        measured: measured[0]!,
        ...(gradientNorm && { gradientNorm: Number(gradientNorm[0]) }),
      };
    },
    state: async () => (await updateGraph.state()) as ModelState,
    setState: (values) => updateGraph.setState(values),
    dispose: async () => {
      await gradientGraph.dispose();
      await updateGraph.dispose();
    },
  };
}

/** Compiles `(sums, state, inputs) → sums` for one part. */
function compileGradients(design: TrainingDesign, asked: TrainingInputs, runtime: RuntimeOptions) {
  const { batchSize, accumulate: parts = 1, prepare } = design;
  return compile(
    (state: Tensors, fed: Tensors) => {
      const found = gradientStep(
        { ...design, share: 1 / parts },
        {
          state,
          images: prepare(fed),
          targets: fed,
          pass: asked.options(fed),
        },
      );
      const { gradients, buffers, loss, measured } = found;
      return { gradients, buffers, loss, measured };
    },
    [modelState(design, design.state), { ...rowSpecs(design, batchSize / parts), ...asked.specs }],
    runtime,
  );
}

/** Compiles the update of parameters and slots. Buffers are passed through from the sums. */
function compileUpdate(design: TrainingDesign, runtime: RuntimeOptions) {
  const { gradients, buffers } = sumsLayout(design);
  return compileStep(
    (state: Tensors, fed: Tensors) => {
      const found = updateStep(design, {
        state,
        gradients: picked(fed, "gradients."),
        learningRate: fed.learningRate!,
        step: fed.step!,
      });
      const { gradientNorm } = found;
      const results: Tensors = gradientNorm ? { gradientNorm } : {};
      return { state: { ...found.state, ...picked(fed, "buffers.") }, results };
    },
    {
      state: design.state,
      inputs: {
        ...prefixed("gradients.", gradients),
        ...prefixed("buffers.", buffers),
        learningRate: SETTINGS.learningRate,
        step: SETTINGS.step,
      },
    },
    {},
    runtime,
  );
}

type Layout = Readonly<Record<"gradients" | "buffers", Readonly<Record<string, TensorSpec>>>>;

/** Specs of gradients and buffers, by state name. */
function sumsLayout({ model, state }: TrainingDesign): Layout {
  const buffers = model.namedParameters().filter(([, parameter]) => !parameter.trainable);
  return {
    gradients: trainable(model, state),
    buffers: Object.fromEntries(buffers.map(([name]) => [name, state[name]!])),
  };
}

/** Views are aligned to this many floats, a cache line. */
const ALIGNMENT = 16;

/** All sums of a step in one contiguous array. */
class Bucket {
  readonly sums: Sums;
  readonly #values: Float32Array;

  constructor({ gradients, buffers }: Layout) {
    const padded = (length: number) => Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    const lengths = [...Object.values(gradients), ...Object.values(buffers)].map(lengthOf);
    this.#values = new Float32Array(lengths.map(padded).reduce((a, b) => a + b, 2 * ALIGNMENT));
    let next = 0;
    const take = (length: number) => {
      const view = this.#values.subarray(next, next + length);
      next += padded(length);
      return view;
    };
    const takeAll = (specs: Readonly<Record<string, TensorSpec>>) =>
      Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, take(lengthOf(spec))]));
    this.sums = {
      gradients: takeAll(gradients),
      buffers: takeAll(buffers),
      loss: take(1),
      measured: take(1),
    };
  }

  add(other: Bucket): void {
    const values = this.#values;
    const added = other.#values;
    for (let i = 0; i < values.length; i++) values[i] = values[i]! + added[i]!;
  }
}

const lengthOf = ({ shape }: TensorSpec) => elementCount(shape as readonly number[]);

/** Views of the rows of part `n` of a batch. */
function takePart(batch: BatchArrays, n: number, parts: number, batchSize: number): BatchArrays {
  const rows = Object.fromEntries(
    Object.entries(batch).map(([name, data]) => {
      const length = (data.length / batchSize) * (batchSize / parts);
      return [name, data.subarray(n * length, (n + 1) * length) as TensorData];
    }),
  );
  return rows as BatchArrays;
}

/** The entries of a state that the model reads, without the slots. */
function modelState<T>({ model }: TrainingDesign, state: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(model.namedParameters().map(([name]) => [name, state[name]!]));
}

function prefixed<T>(prefix: string, values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
}

function picked<T>(values: Readonly<Record<string, T>>, prefix: string): Record<string, T> {
  return Object.fromEntries(
    Object.entries(values)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), value]),
  );
}
