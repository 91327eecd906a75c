import { type BatchLoader, type ImageDataset, prepareImages } from "../data/index.js";
import {
  applyModel,
  crossEntropyPerSample,
  freeze,
  type ModelState,
  type Module,
  topKHits,
} from "../nn/index.js";
import type { ExpertUse } from "../runs/expert-use.js";
import { compile, type RuntimeOptions } from "../runtime/index.js";
import { spec } from "../trace/index.js";
import { ExpertUseMeter } from "./expert-use-meter.js";

/** How a model did on a data set. */
export interface Evaluation {
  readonly loss: number;
  /** Share of images whose label has the largest logit. */
  readonly accuracy: number;
  /** Share of images whose label is among the five largest logits. */
  readonly top5: number;
  readonly imagesPerSecond: number;
  /** How each layer used its experts; none where the network has none. */
  readonly experts: readonly ExpertUse[];
}

/** What a model is evaluated with. */
export interface EvaluateOptions extends RuntimeOptions {
  readonly imageSize: number;
  readonly batchSize: number;
  /** ε; 0 by default. */
  readonly labelSmoothing?: number;
  /** Values of the model's annealed scalars by name; those that are left out are at rest. */
  readonly annealed?: Readonly<Record<string, number>>;
}

/** Evaluates weights on a loader's images. The weights are frozen into the graph. */
export async function evaluate(
  model: Module,
  state: ModelState,
  dataset: ImageDataset,
  loader: BatchLoader,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { imageSize, batchSize, labelSmoothing = 0, annealed = {}, ...runtime } = options;
  const { height, width } = dataset;
  const frozen = freeze(model, state);
  const meter = new ExpertUseMeter();
  const run = await compile(
    (images, rows, columns, targets) => {
      const x = prepareImages(images, rows, columns);
      const { output: logits, attention } = applyModel(model, frozen, x, { annealed });
      return {
        loss: crossEntropyPerSample(logits, targets, { labelSmoothing }),
        hits: topKHits(logits, targets),
        top5: topKHits(logits, targets, 5),
        experts: meter.tensors(attention),
      };
    },
    [
      spec([batchSize, 3, height, width], "uint8"),
      spec([1, imageSize, height]),
      spec([1, imageSize, width]),
      spec([batchSize], "int64"),
    ],
    runtime,
  );
  const totals = { loss: 0, hits: 0, top5: 0, count: 0 };
  const start = performance.now();
  for (let n = 0; n < loader.batches; n++) {
    const { images, rows, columns, targets, count } = loader.batch(0, n);
    const { loss, hits, top5, experts } = await run(images, rows, columns, targets);
    for (let i = 0; i < count; i++) {
      totals.loss += loss[i] as number;
      totals.hits += hits[i] as number;
      totals.top5 += top5[i] as number;
    }
    totals.count += count;
    meter.add(experts, count);
  }
  const seconds = (performance.now() - start) / 1000;
  await run.dispose();
  return {
    loss: totals.loss / totals.count,
    accuracy: totals.hits / totals.count,
    top5: totals.top5 / totals.count,
    imagesPerSecond: totals.count / seconds,
    experts: meter.result(),
  };
}
