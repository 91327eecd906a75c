/** What `train` prints about a run: at the start, after each epoch, and at the end. */

import type { EpochMetrics } from "../../runs/metrics.js";
import type { Task } from "../../tasks/index.js";
import type { RunStart } from "../../train/run-start.js";
import type { TrainResult } from "../../train/training-run.js";
import { escapeName } from "../terminal/escape.js";
import { joinParts, wrapWords } from "../terminal/lines.js";

const LABEL = 9;
/** Up to this many classes are named; otherwise only their number is given. */
const NAMED_CLASSES = 12;

const count = (value: number) => value.toLocaleString("en");

/** The header of a run. */
export function startLines(start: RunStart, width: number): readonly string[] {
  const { task, classes, imageSize, batchSize, batches, leftOut, position, device, threads } = start;
  const rows: [label: string, text: string][] = [
    ["model", `${start.model}, ${count(start.parameters)} parameters, images of ${imageSize}×${imageSize}`],
    [
      "images",
      `${count(start.trainImages)} to train, ${count(start.validationImages)} to validate, of ${escapeName(start.data)}`,
    ],
    [task.name === "classification" ? "classes" : "outputs", classNames(classes)],
    ["device", `${device}, ${threads} ${threads === 1 ? "thread" : "threads"}`],
    ["epochs", `${start.epochs} of ${count(batches)} steps of ${batchSize} images${leftOutWords(leftOut)}`],
  ];
  if (position.step > 0) {
    const within = position.batch === 0 ? "" : `, after ${position.batch} of its steps`;
    rows.push(["resumes", `in epoch ${position.epoch + 1}${within}; ${count(position.step)} steps are done`]);
  }
  for (const notice of start.notices) rows.push(["note", escapeName(notice)]);
  return rows.map(([label, text]) => wrapWords(label.padEnd(LABEL) + text, width, " ".repeat(LABEL)));
}

function classNames(classes: readonly string[]): string {
  const named = classes.length <= NAMED_CLASSES ? `: ${classes.map(escapeName).join(", ")}` : "";
  return `${classes.length}${named}`;
}

function leftOutWords(leftOut: number): string {
  if (leftOut === 0) return "";
  return `; ${leftOut} ${leftOut === 1 ? "image does" : "images do"} not fill a batch and ${leftOut === 1 ? "is" : "are"} dropped, different ones each epoch`;
}

/** The results of an epoch. */
export function epochLine(
  m: EpochMetrics,
  { task, epochs }: Pick<RunStart, "task" | "epochs">,
  width: number,
): string {
  const values = (metrics: EpochMetrics["valMetrics"]) => {
    const value = metrics[task.best];
    return value === undefined ? "" : ` ${task.metrics[task.best]!.short} ${value.toFixed(4)}`;
  };
  const parts = [
    `epoch ${m.epoch}/${epochs}`,
    `lr ${m.learningRate.toPrecision(3)}`,
    ...Object.entries(m.annealed).map(([name, value]) => `${name} ${Number(value.toFixed(2))}`),
    `train loss ${m.trainLoss.toFixed(4)}${values(m.trainMetrics)}`,
    `val loss ${m.valLoss.toFixed(4)}${values(m.valMetrics)}`,
    `${m.imagesPerSecond.toFixed(0)} images/s`,
  ];
  return joinParts(parts, width);
}

/** How a run ended. */
export function closingLine(
  { finished, position }: TrainResult,
  { metrics, best }: Task,
  out: string,
  width: number,
): string {
  if (!finished) return `stopped after step ${position.step}; continue with --resume`;
  const what = metrics[best]!.title.toLowerCase();
  const done = `done: best validation ${what} ${position.best.toFixed(4)} in epoch ${position.bestEpoch},`;
  return wrapWords(`${done} run in ${escapeName(out)}`, width, "  ");
}
