import type { Ablation, AblationRow, AblationVerdict } from "../../inspect/ablation.js";
import type { Replacement } from "../../inspect/replaced-attention.js";
import type { Terminal } from "../terminal/terminal.js";

const REPLACED_BY: Readonly<Record<Replacement, string>> = {
  uniform: "uniform weights",
  mean: "the mean of the data",
  "another-image": "another image's",
  strongest: "the strongest expert",
};

const VERDICTS: Readonly<Record<AblationVerdict, string>> = {
  matters:
    "The attention matters: with the mean attention, or another image's, accuracy falls by more than chance explains.",
  "does-not-matter":
    "The attention does not matter: with the mean attention, or another image's, accuracy stays within 1 point. What the network gains over a static one is parameters, not attention.",
  undecided: "These images cannot tell whether the attention matters: take more of them, or train further.",
};

/** Prints the accuracy with attention replaced, and what follows. */
export async function printAblation(ablation: Ablation, terminal: Terminal): Promise<void> {
  const { formatTable } = await import("../../report/index.js");
  const head = ["layer", "attention replaced by", "accuracy", "change", "95 % interval", "p"];
  const align = ["left", "left", "right", "right", "right", "right"] as const;
  const rows = [
    ["", "nothing", ablation.accuracy.toFixed(4), "", "", ""],
    ...ablation.rows.map((row, i) => cellsOf(row, ablation.rows[i - 1]?.layer === row.layer && i > 0)),
  ];
  const { width, colour } = terminal;
  terminal.out(`${formatTable(head, rows, { width, colour, align })}\n`);
  terminal.out(`\n${VERDICTS[ablation.verdict]}\n`);
  terminal.err(
    `over ${ablation.images} images; change in points of accuracy, its interval by bootstrap, p of McNemar's test\n`,
  );
}

function cellsOf({ layer, replacement, accuracy, difference, interval, p }: AblationRow, again: boolean) {
  return [
    again ? "" : (layer ?? "all"),
    REPLACED_BY[replacement],
    accuracy.toFixed(4),
    points(difference),
    `${points(interval.low)} to ${points(interval.high)}`,
    p < 0.001 ? "<0.001" : p.toFixed(3),
  ];
}

/** A difference of shares in points, signed. */
function points(difference: number): string {
  const rounded = (100 * difference).toFixed(2);
  return difference > 0 ? `+${rounded}` : rounded.replace("-", "−");
}
