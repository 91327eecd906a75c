import { dirname } from "node:path";
import { DataError, DyconvError, RuntimeUnavailableError, UsageError } from "../errors/index.js";
import { gradients } from "../grad/index.js";
import type { Tensor } from "../ir/index.js";
import { alexnet, alexnetDy } from "../models/index.js";
import {
  applyModel,
  crossEntropy,
  DynamicConv2d,
  type DynamicConv2dOptions,
  type ModelState,
  stateShapes,
  stateSpecs,
} from "../nn/index.js";
import { mul, sqrt, sum, sumSquares } from "../ops/index.js";
import { sgd } from "../optim/index.js";
import { compile, compileStep, type RuntimeOptions } from "../runtime/index.js";
import { classification } from "../tasks/index.js";
import { spec } from "../trace/index.js";
import { trainingStep } from "../train/step.js";
import type { CaseRun } from "./family/family-case.js";
import { familyRunner } from "./family/index.js";
import {
  assertTensors,
  type LayerCase,
  type LossCase,
  type NetworkCase,
  type ParityCase,
  readIndex,
  readValues,
  resultNames,
  type Values,
} from "./parity-case.js";

/** Result of one case. */
export interface ParityResult {
  readonly file: string;
  readonly tolerance: number;
  /** Relative error of each tensor: max |ours − reference| / max(max |reference|, 1e-3). */
  readonly errors: Readonly<Record<string, number>>;
  readonly passed: boolean;
}

/** max |ours − reference| / max(max |reference|, 1e-3). */
function relativeError(ours: Float32Array, reference: Float32Array): number {
  let difference = 0;
  let scale = 1e-3;
  for (let i = 0; i < reference.length; i++) {
    const distance = Math.abs(ours[i]! - reference[i]!);
    // Written so that a NaN counts as an infinite error.
    if (!(distance <= difference)) difference = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
    scale = Math.max(scale, Math.abs(reference[i]!));
  }
  return difference / scale;
}

/** Output, attention and gradients of one dynamic convolution. */
async function runLayer(testCase: LayerCase, values: Values, options: ParityOptions): Promise<Values> {
  const { inChannels, outChannels, kernelSize, temperature, ...layerOptions } = testCase.options;
  const plan = options.plan ?? "auto";
  const layer = new DynamicConv2d(inChannels, outChannels, kernelSize, { ...layerOptions, plan });
  assertTensors(testCase, { x: undefined, dy: undefined, ...stateShapes(layer) });
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

/** Loss, and its gradient with respect to the logits. */
async function runLoss(testCase: LossCase, values: Values, options: ParityOptions): Promise<Values> {
  const { labelSmoothing } = testCase.options;
  assertTensors(testCase, { logits: undefined, target: undefined });
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

/** Initial values of a parameter, by the rule that the index states. */
function ruleValues(length: number, position: number, seed: number, scale: number): Float32Array {
  return Float32Array.from({ length }, (_, e) => {
    const wave = Math.sin(e * 12.9898 + position * 78.233 + seed) * 43758.5453;
    return (wave - Math.floor(wave) - 0.5) * scale;
  });
}

/** Training steps of a whole network without dropout, then its logits at inference. */
async function runNetwork(testCase: NetworkCase, values: Values, options: ParityOptions): Promise<Values> {
  const { experts, dynamic, ...network } = testCase.options;
  const { plan = "auto", withoutRewrites = [] } = options;
  const model = dynamic ? alexnetDy({ experts, dropout: 0, plan }) : alexnet({ dropout: 0 });
  const [steps] = testCase.tensors.loss ?? [];
  assertTensors(testCase, { x: undefined, target: undefined, loss: [steps ?? 1] });
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
  const task = classification({ labelSmoothing: network.labelSmoothing });
  const step = await compileStep(
    (state: Readonly<Record<string, Tensor>>, { x, target }) => {
      const result = trainingStep(
        {
          model,
          optimizer: sgd({ weightDecay: network.weightDecay }),
          task,
          withoutRewrites,
        },
        {
          state,
          images: x,
          targets: { targets: target },
          learningRate: network.learningRate,
          pass: { training: true, annealed: dynamic ? { temperature: network.temperature } : {} },
        },
      );
      const norms = Object.entries(result.gradients).map(([name, g]) => [
        `gradnorm.${name}`,
        // Row by row, as adding millions of squares to one float32 loses its last digits.
        sqrt(sum(sumSquares(g, { axes: [-1] }))),
      ]);
      return {
        state: result.state,
        results: { loss: result.loss, logits: result.output, ...Object.fromEntries(norms) },
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
  for (let n = 0; n < steps!; n++) {
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

/** Options of {@link checkParity}. */
export interface ParityOptions extends RuntimeOptions {
  /** Plan of every dynamic convolution. Defaults to `"auto"`. */
  readonly plan?: NonNullable<DynamicConv2dOptions["plan"]>;
  /** Only check cases whose file or layer name contains this text. */
  readonly only?: string;
}

/**
 * Checks dyconv against reference vectors, case by case.
 *
 * @param indexPath an `index.json`, which lists safetensors files next to it
 * @throws DataError if the index or a file cannot be read
 */
export async function* checkParity(
  indexPath: string,
  options: ParityOptions = {},
): AsyncGenerator<ParityResult> {
  const { plan, only = "", ...runtime } = options;
  const cases = await readIndex(indexPath);
  const chosen = cases.filter(
    (each) => each.file.includes(only) || (each.kind === "family" && each.layer.includes(only)),
  );
  if (chosen.length === 0) {
    throw new UsageError(
      `no case of ${indexPath} has a file or a layer whose name contains ${JSON.stringify(only)}`,
      {
        hint: `files: ${cases.map(({ file }) => file).join(", ")}`,
      },
    );
  }
  for (const testCase of chosen) {
    const values = await readValues(indexPath, testCase);
    const folder = dirname(indexPath);
    const ours = await runCase({ testCase, values, folder, plan: plan ?? "auto", runtime });
    const errors: Record<string, number> = {};
    const compare = (name: string, reference: string) => {
      const [result, expected] = [ours[name], values[reference]];
      errors[name] =
        result?.length === expected?.length
          ? relativeError(result as Float32Array, expected as Float32Array)
          : Number.POSITIVE_INFINITY;
    };
    for (const name of resultNames(testCase, values)) compare(name, name);
    for (const [plain, result] of plainResults(testCase)) compare(plain, result);
    const passed = Object.values(errors).every((error) => error <= testCase.tolerance);
    yield { file: testCase.file, tolerance: testCase.tolerance, errors, passed };
  }
}

/** Results of a static convolution, each with the result that it must equal at a layer's neutral point. */
function plainResults(testCase: ParityCase): readonly (readonly [plain: string, result: string])[] {
  if (testCase.kind !== "family" || testCase.plain === undefined) return [];
  const results = testCase.outputs.filter((name) => /^y(\.|$)/.test(name));
  return results.map((name) => [`plain.${name}`, name]);
}

/** @throws DataError naming the case, if it cannot be run */
async function runCase(run: Omit<CaseRun, "testCase"> & { readonly testCase: ParityCase }): Promise<Values> {
  const { testCase, values, plan, runtime } = run;
  const options = { ...runtime, plan };
  try {
    if (testCase.kind === "family") return await familyRunner(testCase)({ ...run, testCase });
    if (testCase.kind === "layer") return await runLayer(testCase, values, options);
    if (testCase.kind === "network") return await runNetwork(testCase, values, options);
    return await runLoss(testCase, values, options);
  } catch (cause) {
    if (cause instanceof RuntimeUnavailableError) throw cause;
    const { message } = cause as Error;
    if (cause instanceof DyconvError && message.startsWith(`${testCase.file}: `)) throw cause;
    const what = cause instanceof DyconvError ? message : `the case cannot be run: ${message}`;
    throw new DataError(`${testCase.file}: ${what}`, {
      cause,
      hint: "its options do not fit its tensors; write the case anew",
    });
  }
}
