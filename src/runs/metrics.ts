import { join } from "node:path";
import { z } from "zod";
import { CheckpointError } from "../errors/index.js";
import { readJsonLines } from "../files/index.js";
import { asWrittenNow } from "./as-written-now.js";
import { type ExpertUse, expertUseSchema } from "./expert-use.js";
import { METRICS_FILE } from "./run-files.js";

/** The loss of one step: a line of `metrics.jsonl`. */
export interface StepMetrics {
  readonly kind: "step";
  /** From 1. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  readonly trainLoss: number;
}

/** The results of one epoch: a line of `metrics.jsonl`. */
export interface EpochMetrics {
  readonly kind: "epoch";
  /** From 1. */
  readonly epoch: number;
  /** Steps done in total. */
  readonly step: number;
  /** Learning rate of the epoch's last step. */
  readonly learningRate: number;
  /** Annealed scalars in the epoch's last step, by name. */
  readonly annealed: Readonly<Record<string, number>>;
  readonly trainLoss: number;
  /** The metric that the task tracks, on the augmented images, by name. */
  readonly trainMetrics: Readonly<Record<string, number>>;
  readonly valLoss: number;
  /** The task's metrics, by name. */
  readonly valMetrics: Readonly<Record<string, number>>;
  readonly imagesPerSecond: number;
  /** Share of the time spent outside the runtime's `run`. */
  readonly outsideRunShare: number;
  /** How each layer used its experts on the validation images. Absent for networks without experts. */
  readonly experts?: readonly ExpertUse[];
}

/** A line of `metrics.jsonl`. */
export type MetricsLine = StepMetrics | EpochMetrics;

const count = z.int().nonnegative();
/** JSON has no NaN or infinity; `null` stands for them. */
const measured = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

const lineSchema: z.ZodType<MetricsLine> = z.preprocess(
  asWrittenNow,
  z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("step"), step: count, epoch: count, trainLoss: measured }),
    z.object({
      kind: z.literal("epoch"),
      epoch: count,
      step: count,
      learningRate: z.number(),
      annealed: z.record(z.string(), z.number()),
      trainLoss: measured,
      trainMetrics: z.record(z.string(), measured),
      valLoss: measured,
      valMetrics: z.record(z.string(), measured),
      imagesPerSecond: measured,
      outsideRunShare: measured,
      experts: z.array(expertUseSchema).exactOptional(),
    }),
  ]),
);

/** Path of a run's metrics. */
export function metricsPath(run: string): string {
  return join(run, METRICS_FILE);
}

/**
 * Reads the metrics of a run, in order. Empty if none are written yet. Values that were not finite are NaN.
 *
 * @throws CheckpointError naming a line that is not a record of metrics
 */
export async function readMetrics(run: string): Promise<MetricsLine[]> {
  const path = metricsPath(run);
  return (await readJsonLines(path)).map((line, index) => {
    const { success, data, error } = lineSchema.safeParse(line);
    if (success) return data;
    throw new CheckpointError(
      `${path}, line ${index + 1}: not a record of metrics: ${z.prettifyError(error)}`,
      {
        hint: "the file was changed or damaged; remove this line to go on without it",
      },
    );
  });
}
