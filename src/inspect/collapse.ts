import { type DatasetPair, imageBytes } from "../data/index.js";
import { UsageError } from "../errors/index.js";
import { annealedFor } from "../infer/annealed.js";
import { type InferOptions, infer } from "../infer/infer.js";
import { openRunData } from "../infer/run-data.js";
import { type Samples, testSamples } from "../infer/samples.js";
import type { Tensor } from "../ir/index.js";
import type { Applied } from "../nn/index.js";
import type { OpenRun } from "../runs/open-run.js";
import type { RuntimeOptions } from "../runtime/index.js";
import { exportModel } from "../ship/index.js";
import { comparePaired, type Hits, type PairedDifference } from "../statistics/paired.js";
import { median } from "../util/median.js";
import { CollapsedNetwork, findMeanKernels } from "./collapsed-network.js";
import type { MeanAttention } from "./replaced-attention.js";
import { evaluationWorkload } from "./workload.js";

/** Options of {@link collapseRun}. */
export interface CollapseOptions extends InferOptions {
  /** Largest number of training images to average the attention over. Defaults to 2000. */
  readonly images?: number;
  /** Data that is already open. Defaults to the run's own. */
  readonly data?: DatasetPair;
}

/** Median milliseconds per batch, with both networks timed alternately. */
export interface Latency {
  readonly batchSize: number;
  readonly dynamic: number;
  readonly static: number;
}

/** A static network that replaces a dynamic one. */
export interface Collapse {
  /** The run with the collapsed network. */
  readonly run: OpenRun;
  /** Number of convolutions that became static. */
  readonly convolutions: number;
  /** Number of images that attention was averaged over, and that accuracy was measured on. */
  readonly averaged: number;
  readonly images: number;
  /** Accuracy before and after. */
  readonly before: number;
  readonly after: number;
  readonly change: PairedDifference;
}

/**
 * Replaces the mixed kernels in all layers by the kernel of the mean attention over training images, and
 * measures the effect on all test images.
 *
 * @throws UsageError if the network has no attention, or naming layers whose mean kernel is not that of the
 * mean attention
 */
export async function collapseRun(run: OpenRun, options: CollapseOptions = {}): Promise<Collapse> {
  const { images = 2000, data: given, ...inferOptions } = options;
  if (run.task !== "classification") {
    throw new UsageError(`a run for ${run.task} cannot be collapsed: the effect is measured in accuracy`);
  }
  const data = await openRunData(run, given);
  const train = await testSamples(run, Math.min(images, data.train.length), { ...data, test: data.train });
  const { meanOf, count } = await readMeans(run, train, inferOptions);
  if (count === 0) {
    throw new UsageError(`${run.config.model} has no dynamic convolutions, so there is nothing to collapse`);
  }
  const annealed = annealedFor(run, inferOptions.annealed);
  const { annealed: _, ...runtime } = inferOptions;
  const { imageSize } = run;
  const kernels = await findMeanKernels(run.model, run.state, meanOf, { ...runtime, imageSize, annealed });
  const model = new CollapsedNetwork(run.model, meanOf, kernels);
  const collapsed = { ...run, model, state: model.stateFrom(run.state) };
  const test = await testSamples(run, data.test.length, data);
  const before = await hitsOf(run, test, inferOptions);
  const after = await hitsOf(collapsed, test, inferOptions);
  return {
    run: collapsed,
    convolutions: kernels.length,
    averaged: train.images.length / imageBytes(train),
    images: before.length,
    before: shareOf(before),
    after: shareOf(after),
    change: comparePaired(before, after, run.config.seed),
  };
}

/**
 * Times two networks on random images, alternating between them.
 *
 * @param rounds timed batches of each. Defaults to 15
 */
export async function compareLatency(
  run: Pick<OpenRun, "model" | "imageSize">,
  collapsed: Pick<OpenRun, "model">,
  batchSize: number,
  runtime: RuntimeOptions = {},
  rounds = 15,
): Promise<Latency> {
  const { imageSize } = run;
  const workloads = [
    await evaluationWorkload(run.model, { ...runtime, imageSize, batchSize }),
    await evaluationWorkload(collapsed.model, { ...runtime, imageSize, batchSize }),
  ];
  const times: [number[], number[]] = [[], []];
  const warmUp = 3;
  for (let n = -warmUp; n < rounds; n++) {
    for (const [i, workload] of workloads.entries()) {
      const start = performance.now();
      await workload.run();
      if (n >= 0) times[i]!.push(performance.now() - start);
    }
  }
  for (const workload of workloads) await workload.dispose();
  return { batchSize, dynamic: median(times[0]), static: median(times[1]) };
}

/** Exports the static network as ONNX, with its description in the metadata. */
export function exportCollapse({ run, before, after, averaged }: Collapse): Uint8Array {
  const { model, state, imageSize, classes, config } = run;
  return exportModel(model, state, {
    inputShape: [3, imageSize, imageSize],
    metadata: {
      model: config.model,
      classes: JSON.stringify(classes),
      collapsed: `mean kernels over ${averaged} training images; accuracy ${before} before, ${after} after`,
    },
  });
}

async function readMeans(run: OpenRun, samples: Samples, options: InferOptions) {
  const names = new Map<string, string>();
  const keyOf = (layer: string, kind: string) => JSON.stringify([layer, kind]);
  const rows = await infer(
    run,
    samples,
    ({ output, attention }: Applied) => {
      const tensors: Record<string, Tensor> = { logits: output };
      for (const [layer, kinds] of Object.entries(attention)) {
        for (const [kind, { values }] of Object.entries(kinds)) {
          const name = `attention${names.size}`;
          names.set(keyOf(layer, kind), name);
          tensors[name] = values;
        }
      }
      return tensors;
    },
    options,
  );
  const means = new Map<string, Float32Array>();
  for (const [key, name] of names) means.set(key, meanOfRows(rows[name]!));
  const meanOf: MeanAttention = ({ layer, kind }) => means.get(keyOf(layer, kind))!;
  return { meanOf, count: names.size };
}

function meanOfRows(rows: readonly Float32Array[]): Float32Array {
  const sums = new Float64Array(rows[0]!.length);
  for (const row of rows) for (const [i, value] of row.entries()) sums[i]! += value;
  return Float32Array.from(sums, (sum) => sum / rows.length);
}

async function hitsOf(run: OpenRun, samples: Samples, options: InferOptions): Promise<Hits> {
  const { logits } = await infer(run, samples, ({ output }) => ({ logits: output }), options);
  return logits.map((row, i) => run.classes[row.indexOf(Math.max(...row))] === samples.truths[i]);
}

function shareOf(hits: Hits): number {
  return hits.filter(Boolean).length / hits.length;
}
