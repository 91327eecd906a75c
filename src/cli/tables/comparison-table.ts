import type { RunComparison } from "../../compare/compare.js";
import {
  formatAccuracy,
  formatCount,
  formatP,
  formatPoints,
  formatPointsInterval,
  formatTable,
  type ReportSides,
  resultColumns,
} from "../../report/index.js";
import type { Terminal } from "../terminal/terminal.js";

/** Prints the table of runs and, if there are two sides, how they differ on the test images. */
export function printComparison({ metric, runs, sides }: RunComparison, terminal: Terminal): void {
  const rows = runs.map((run) => [
    run.name === run.model ? run.name : `${run.name} (${run.model})`,
    formatAccuracy(run.train),
    formatAccuracy(run.validation),
    formatCount(run.parameters),
    formatCount(Math.round(run.imagesPerSecond ?? 0)),
  ]);
  const head = ["model", ...resultColumns(metric)];
  const { colour, width } = terminal;
  terminal.out(`${formatTable(head, rows, { colour, width })}\n`);
  if (sides !== undefined) printSides(sides, terminal);
}

function printSides(
  { names, images, means, difference, pairs, sentence }: ReportSides,
  terminal: Terminal,
): void {
  const rows = pairs.map((pair) => [
    String(pair.seed),
    ...pair.accuracies.map((accuracy) => accuracy.toFixed(4)),
    formatPoints(pair.difference),
    formatPointsInterval(pair.interval),
    `${pair.onlyFirst} / ${pair.onlySecond}`,
    formatP(pair.p),
  ]);
  if (pairs.length > 1) {
    const accuracies = means.map(({ mean }) => mean.toFixed(4));
    rows.push([
      "mean",
      ...accuracies,
      formatPoints(difference.mean),
      formatPointsInterval(difference),
      "",
      "",
    ]);
  }
  const { colour, width } = terminal;
  const head = ["seed", ...names, "difference", "95 % interval", "only one right", "p"];
  terminal.out(`\n${formatTable(head, rows, { colour, width })}\n\n${sentence}\n`);
  terminal.err(`over ${images} test images, with the best epoch of each run\n`);
}
