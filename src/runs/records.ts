import { EventWriter, JsonLinesWriter } from "../files/index.js";
import type { Task } from "../tasks/index.js";
import { attentionName, type ExpertUse } from "./expert-use.js";
import {
  type EpochMetrics,
  type MetricsLine,
  metricsPath,
  readMetrics,
  type StepMetrics,
} from "./metrics.js";
import { isKept } from "./run-files.js";
import type { Recorder } from "./run-store.js";

/** The records of a run: `metrics.jsonl`, and the same as TensorBoard events. */
export class RunRecords implements Recorder {
  private constructor(
    readonly metrics: JsonLinesWriter,
    readonly events: EventWriter,
    readonly task: Task,
  ) {}

  /** @param step records after this step are dropped, as they will be written again */
  static async open(run: string, step: number, task: Task): Promise<RunRecords> {
    const kept = (await readMetrics(run)).filter((line) => line.step <= step);
    const events = await EventWriter.open(run, { keep: kept.map((line) => scalarsOf(line, task)) });
    const keep = (line: unknown) => (line as MetricsLine).step <= step;
    return new RunRecords(await JsonLinesWriter.open(metricsPath(run), { keep }), events, task);
  }

  step(metrics: StepMetrics): void {
    if (isKept(metrics)) this.#append(metrics);
  }

  epoch(metrics: EpochMetrics): void {
    this.#append(metrics);
  }

  close(): void {
    this.metrics.close();
    this.events.close();
  }

  #append(line: MetricsLine): void {
    this.metrics.append(line);
    const { scalars, step } = scalarsOf(line, this.task);
    this.events.add(scalars, step);
  }
}

/** Scalars that TensorBoard shows for a line. */
function scalarsOf(line: MetricsLine, task: Task) {
  const { kind, step, trainLoss } = line;
  if (kind === "step") return { step, scalars: { "train/loss": trainLoss } };
  return {
    step,
    scalars: {
      ...tagged("train/", line.trainMetrics, task),
      "val/loss": line.valLoss,
      ...tagged("val/", line.valMetrics, task),
      learning_rate: line.learningRate,
      ...line.annealed,
      ...expertScalars(line.experts),
    },
  };
}

/** Up to this many experts, the share of each is logged. */
const MOST_EXPERTS = 16;

/** Entropy and spread of each layer's attention, and the shares of its experts if they are few. */
function expertScalars(layers: readonly ExpertUse[] = []): Record<string, number> {
  const scalars: Record<string, number> = {};
  for (const layer of layers) {
    const name = attentionName(layer);
    scalars[`attention/${name}/entropy`] = layer.entropy;
    scalars[`attention/${name}/spread`] = layer.spread;
    if (layer.use.length > MOST_EXPERTS) continue;
    for (const [k, share] of layer.use.entries()) scalars[`experts/${name}/${k + 1}`] = share;
  }
  return scalars;
}

function tagged(set: string, values: Readonly<Record<string, number>>, { metrics }: Task) {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [set + (metrics[name]?.tag ?? name), value]),
  );
}
