import type { Ablation, AblationRow } from "../../inspect/ablation.js";
import {
  ABLATION_VERDICTS,
  formatP,
  formatPoints,
  formatPointsInterval,
  formatTable,
  REPLACED_BY,
} from "../../report/index.js";
import type { Terminal } from "../terminal/terminal.js";

/** Prints the accuracy with replaced attention, and the verdict. */
export function printAblation(ablation: Ablation, terminal: Terminal): void {
  const head = ["layer", "attention replaced by", "accuracy", "change", "95 % interval", "p"];
  const align = ["left", "left", "right", "right", "right", "right"] as const;
  const rows = [
    ["", "nothing", ablation.accuracy.toFixed(4), "", "", ""],
    ...ablation.rows.map((row, i) => cellsOf(row, ablation.rows[i - 1]?.layer === row.layer && i > 0)),
  ];
  const { width, colour } = terminal;
  terminal.out(`${formatTable(head, rows, { width, colour, align })}\n`);
  terminal.out(`\n${ABLATION_VERDICTS[ablation.verdict]}\n`);
  terminal.err(
    `over ${ablation.images} images; change in points of accuracy, interval by bootstrap, p by McNemar's test\n`,
  );
}

function cellsOf({ layer, replacement, accuracy, difference, interval, p }: AblationRow, again: boolean) {
  return [
    again ? "" : (layer ?? "all"),
    REPLACED_BY[replacement],
    accuracy.toFixed(4),
    formatPoints(difference),
    formatPointsInterval(interval),
    formatP(p),
  ];
}
