import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { DataError } from "../errors/index.js";
import { readSafetensors } from "../files/index.js";
import { gradients } from "../grad/index.js";
import type { Tensor } from "../ir/index.js";
import { alexnet, alexnetDy } from "../models/index.js";
import {
  applyModel,
  crossEntropy,
  DynamicConv2d,
  type DynamicConv2dOptions,
  type ModelState,
  stateSpecs,
} from "../nn/index.js";
import { mul, sqrt, sum, sumSquares } from "../ops/index.js";
import { sgd } from "../optim/index.js";
import { compile, compileStep, type RuntimeOptions } from "../runtime/index.js";
import { spec } from "../trace/index.js";
import { trainingStep } from "../train/step.js";

const caseSchema = z.object({
  file: z.string(),
  tolerance: z.number(),
  options: z.record(z.string(), z.unknown()),
  tensors: z.record(z.string(), z.array(z.number())),
});
const indexSchema = z.object({ cases: z.array(caseSchema) });

const layerSchema = z.object({
  inChannels: z.number(),
  outChannels: z.number(),
  kernelSize: z.number(),
  stride: z.number(),
  padding: z.number(),
  dilation: z.number(),
  groups: z.number(),
  bias: z.boolean(),
  experts: z.number(),
  ratio: z.number(),
  temperature: z.number(),
  routing: z.enum(["softmax", "sigmoid"]),
});
const lossSchema = z.object({ labelSmoothing: z.number() });
const networkSchema = z.object({
  dynamic: z.boolean(),
  experts: z.number(),
  temperature: z.number(),
  learningRate: z.number(),
  weightDecay: z.number(),
  labelSmoothing: z.number(),
  seed: z.number(),
  parameters: z.array(z.tuple([z.string(), z.array(z.number()), z.enum(["rule", "ones"]), z.number()])),
});

/** Tensors of a file that are results; the others are what the case is fed with. */
const RESULT_NAME = /^(y|attention|loss|(grad|gradnorm|buffer|logits)\..*)$/;

/** One case of an index of reference vectors. */
type ParityCase = z.infer<typeof caseSchema>;
type Values = Readonly<Record<string, Float32Array | BigInt64Array>>;

/** How one case came out. */
export interface ParityResult {
  readonly file: string;
  readonly tolerance: number;
  /** Relative error of each tensor: max |ours − reference| / max(max |reference|, 1e-3). */
  readonly errors: Readonly<Record<string, number>>;
  readonly passed: boolean;
}

function relativeError(ours: Float32Array, reference: Float32Array): number {
  let difference = 0;
  let scale = 1e-3;
  for (let i = 0; i < reference.length; i++) {
    const distance = Math.abs(ours[i]! - reference[i]!);
    // Written so that a NaN counts as infinitely wrong.
    if (!(distance <= difference)) difference = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
    scale = Math.max(scale, Math.abs(reference[i]!));
  }
  return difference / scale;
}

/** Output, attention and gradients of one dynamic convolution. */
async function runLayer(testCase: ParityCase, values: Values, options: ParityOptions): Promise<Values> {
  const { inChannels, outChannels, kernelSize, temperature, ...layerOptions } = layerSchema.parse(
    testCase.options,
  );
  const plan = options.plan ?? "auto";
  const layer = new DynamicConv2d(inChannels, outChannels, kernelSize, { ...layerOptions, plan });
  const names = ["x", ...layer.namedParameters().map(([name]) => name)];
  const specs = Object.fromEntries([...names, "dy"].map((name) => [name, spec(testCase.tensors[name]!)]));
  const fn = await compile(
    (tensors: Readonly<Record<string, Tensor>>) => {
      const { output, attention } = applyModel(layer, tensors, tensors.x!, {
        annealed: layerOptions.routing === "softmax" ? { temperature } : {},
      });
      const by = Object.fromEntries(names.map((name) => [name, tensors[name]!]));
      return {
        y: output,
        attention: attention[""]!.kernel!.values,
        grad: gradients(sum(mul(output, tensors.dy!)), by),
      };
    },
    [specs],
    options,
  );
  const fed = Object.fromEntries(Object.keys(specs).map((name) => [name, values[name] as Float32Array]));
  const { y, attention, grad } = await fn(fed);
  await fn.dispose();
  const byName = Object.entries(grad).map(([name, data]) => [`grad.${name}`, data]);
  return { y, attention, ...Object.fromEntries(byName) } as Values;
}

/** Loss and its gradient by the logits. */
async function runLoss(testCase: ParityCase, values: Values, options: ParityOptions): Promise<Values> {
  const { labelSmoothing } = lossSchema.parse(testCase.options);
  const fn = await compile(
    (logits, target) => {
      const loss = crossEntropy(logits, target, { labelSmoothing });
      return { loss, gradient: gradients(loss, logits) };
    },
    [spec(testCase.tensors.logits!), spec(testCase.tensors.target!, "int64")],
    options,
  );
  const { loss, gradient } = await fn(values.logits as Float32Array, values.target as BigInt64Array);
  await fn.dispose();
  return { loss, "grad.logits": gradient } as Values;
}

/** A parameter's first values by the rule that the index states. */
function ruleValues(length: number, position: number, seed: number, scale: number): Float32Array {
  return Float32Array.from({ length }, (_, e) => {
    const wave = Math.sin(e * 12.9898 + position * 78.233 + seed) * 43758.5453;
    return (wave - Math.floor(wave) - 0.5) * scale;
  });
}

/** Training steps of a whole network without dropout, then its logits at inference. */
async function runNetwork(testCase: ParityCase, values: Values, options: ParityOptions): Promise<Values> {
  const { experts, dynamic, ...network } = networkSchema.parse(testCase.options);
  const { plan = "auto", withoutRewrites = [] } = options;
  const model = dynamic ? alexnetDy({ experts, dropout: 0, plan }) : alexnet({ dropout: 0 });
  const parameters = model.namedParameters();
  const rules = new Map(network.parameters.map(([name, , kind, scale], n) => [name, { kind, scale, n }]));
  const initial: ModelState = Object.fromEntries(
    parameters.map(([name, { shape }]) => {
      const rule = rules.get(name);
      const length = shape.reduce((product, size) => product * size, 1);
      if (rule?.kind === "rule") return [name, ruleValues(length, rule.n, network.seed, rule.scale)];
      return [name, new Float32Array(length).fill(name.endsWith("running_mean") ? 0 : 1)];
    }),
  );
  const specs = stateSpecs(model);
  const step = await compileStep(
    (state: Readonly<Record<string, Tensor>>, { x, target }) => {
      const result = trainingStep(
        {
          model,
          optimizer: sgd({ weightDecay: network.weightDecay }),
          labelSmoothing: network.labelSmoothing,
          withoutRewrites,
        },
        {
          state,
          images: x,
          targets: target,
          learningRate: network.learningRate,
          pass: { training: true, annealed: dynamic ? { temperature: network.temperature } : {} },
        },
      );
      const norms = Object.entries(result.gradients).map(([name, g]) => [
        `gradnorm.${name}`,
        // By rows: millions of squares added to one float32 lose its last digits.
        sqrt(sum(sumSquares(g, { axes: [-1] }))),
      ]);
      return {
        state: result.state,
        results: { loss: result.loss, logits: result.logits, ...Object.fromEntries(norms) },
      };
    },
    {
      state: specs,
      inputs: { x: spec(testCase.tensors.x!), target: spec(testCase.tensors.target!, "int64") },
    },
    initial,
    options,
  );
  const x = values.x as Float32Array;
  const target = values.target as BigInt64Array;
  const losses: number[] = [];
  const found: Record<string, Float32Array> = {};
  for (let n = 0; n < testCase.tensors.loss![0]!; n++) {
    const results = await step.run({ x, target });
    losses.push((results.loss as Float32Array)[0]!);
    if (n > 0) continue;
    for (const [name, data] of Object.entries(results)) {
      if (name !== "loss") found[name === "logits" ? "logits.0" : name] = (data as Float32Array).slice();
    }
  }
  const state = await step.state();
  for (const name of Object.keys(specs)) found[`buffer.${name}`] = state[name]!;
  const evaluate = await compile(
    (tensors: Readonly<Record<string, Tensor>>, x) => applyModel(model, tensors, x).output,
    [specs, spec(testCase.tensors.x!)],
    options,
  );
  const logits = await evaluate(state, x);
  await evaluate.dispose();
  await step.dispose();
  return { ...found, loss: Float32Array.from(losses), "logits.eval": logits } as Values;
}

/** How reference vectors are checked: on which device, with which plan and rewrites. */
export interface ParityOptions extends RuntimeOptions {
  /** Plan of every dynamic convolution; `"auto"` by default. */
  readonly plan?: NonNullable<DynamicConv2dOptions["plan"]>;
}

/**
 * Checks dyconv against reference vectors, case by case.
 *
 * @param indexPath an `index.json` that lists safetensors files beside it
 * @throws DataError if the index or a file cannot be read
 */
export async function* checkParity(
  indexPath: string,
  options: ParityOptions = {},
): AsyncGenerator<ParityResult> {
  const { plan, ...runtime } = options;
  for (const testCase of await readIndex(indexPath)) {
    const { tensors } = await readSafetensors(join(dirname(indexPath), testCase.file));
    const values = Object.fromEntries(
      Object.entries(tensors).map(([name, { data }]) => [name, data as Float32Array | BigInt64Array]),
    );
    const run =
      "inChannels" in testCase.options ? runLayer : "parameters" in testCase.options ? runNetwork : runLoss;
    const ours = await run(testCase, values, { ...runtime, ...(plan ? { plan } : {}) });
    const errors: Record<string, number> = {};
    for (const [name, reference] of Object.entries(values)) {
      if (!RESULT_NAME.test(name)) continue;
      const result = ours[name];
      errors[name] = result
        ? relativeError(result as Float32Array, reference as Float32Array)
        : Number.POSITIVE_INFINITY;
    }
    const passed = Object.values(errors).every((error) => error <= testCase.tolerance);
    yield { file: testCase.file, tolerance: testCase.tolerance, errors, passed };
  }
}

async function readIndex(path: string): Promise<readonly ParityCase[]> {
  try {
    return indexSchema.parse(JSON.parse(await readFile(path, "utf8"))).cases;
  } catch (cause) {
    throw new DataError(`${path} is no index of reference vectors`, {
      cause,
      hint: "it must be a JSON document with `cases`, each with file, options, tolerance and tensors",
    });
  }
}
