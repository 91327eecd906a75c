import type { BatchLoader } from "../data/batches.js";
import { targetsOf } from "../data/dataset.js";
import { prepareImages } from "../data/in-graph.js";
import { Prefetch } from "../data/prefetch.js";
import type { Tensor, TensorData, Tensors } from "../ir/index.js";
import { applyModel, freeze, type ModelState, type Module } from "../nn/index.js";
import type { ExpertUse } from "../runs/expert-use.js";
import { compile, type RuntimeOptions } from "../runtime/index.js";
import type { Task } from "../tasks/index.js";
import { spec, type TensorSpec } from "../trace/index.js";
import { applyTask } from "./apply-task.js";
import { ExpertUseMeter } from "./expert-use-meter.js";

/** Result of an evaluation. */
export interface Evaluation {
  readonly loss: number;
  /** The task's metrics, by name. For classification `accuracy` and `top5`, as shares from 0 to 1. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly imagesPerSecond: number;
  /** How each layer used its experts. Empty for networks without experts. */
  readonly experts: readonly ExpertUse[];
}

/** Options of {@link evaluate}. */
export interface EvaluateOptions extends RuntimeOptions {
  readonly task: Task;
  readonly imageSize: number;
  readonly batchSize: number;
  /** Values of the model's annealed scalars, by name. Default to their final values. */
  readonly annealed?: Readonly<Record<string, number>>;
}

/** Evaluates weights on a loader's images. The weights are constants of the graph. */
export async function evaluate(
  model: Module,
  state: ModelState,
  loader: BatchLoader,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { task, imageSize, batchSize, annealed = {}, ...runtime } = options;
  const { dataset } = loader;
  const { height, width } = dataset;
  const frozen = freeze(model, state);
  const fed: Record<string, TensorSpec> = {
    images: spec([batchSize, 3, height, width], "uint8"),
    rows: spec([1, imageSize, height]),
    columns: spec([1, imageSize, width]),
  };
  for (const [name, { dtype, shape }] of Object.entries(targetsOf(dataset).specs)) {
    fed[name] = spec([batchSize, ...shape], dtype);
  }
  const meter = new ExpertUseMeter();
  const run = await compile(
    (batch: Tensors) => {
      const x = prepareImages(batch.images!, batch.rows!, batch.columns!);
      const apply = (images: Tensor) => applyModel(model, frozen, images, { annealed });
      const { output, attention } = applyTask(task, apply, x, dataset.classes);
      return {
        rows: { loss: task.loss(output, batch), ...task.measure(output, batch) } as Tensors,
        experts: meter.tensors(attention),
      };
    },
    [fed],
    runtime,
  );
  const batches = new Prefetch(loader);
  const found = new Collected(loader.length);
  const start = performance.now();
  for (let n = 0; n < loader.batches; n++) {
    const { images, rows, columns, targets, count, indices } = await batches.take(0, n);
    const running = run({ images, rows, columns, ...targets });
    const real = indices.slice(0, count);
    batches.prepare(0, n + 1);
    const { rows: given, experts } = await running;
    found.add(given, real, batchSize);
    meter.add(experts, count);
  }
  const seconds = (performance.now() - start) / 1000;
  await run.dispose();
  const { loss, ...measured } = found.rows;
  return {
    loss: loss!.reduce((sum, value) => sum + value, 0) / loader.length,
    metrics: task.score(measured, { dataset, indices: found.indices }),
    imagesPerSecond: loader.length / seconds,
    experts: meter.result(),
  };
}

/** Results of all batches, one array per name. */
class Collected {
  readonly rows: Record<string, Float32Array> = {};
  readonly indices: Uint32Array;
  #count = 0;

  constructor(readonly length: number) {
    this.indices = new Uint32Array(length);
  }

  /** Adds the first rows of a batch, one for each of `indices`. */
  add(results: Readonly<Record<string, TensorData>>, indices: Uint32Array, batchSize: number): void {
    for (const [name, values] of Object.entries(results)) {
      const row = values.length / batchSize;
      this.rows[name] ??= new Float32Array(this.length * row);
      this.rows[name].set((values as Float32Array).subarray(0, indices.length * row), this.#count * row);
    }
    this.indices.set(indices, this.#count);
    this.#count += indices.length;
  }
}
