import { join } from "node:path";
import { descending } from "d3-array";
import { REWRITES } from "dyconv";
import { formatMarkdownTable } from "dyconv/node";
import { type Machine, readMachines } from "../machine.js";
import { ROOT } from "../settings.js";
import type { RewriteRow } from "../suites/rewrites.js";
import { writeBetweenMarks } from "./marks.js";
import { readRows } from "./results.js";

const SOURCE = join(ROOT, "bench/results");
const PAGE = join(ROOT, "docs/performance.md");
const HEAD = ["rewrite", "what it does", "training", "evaluating"];

/** Writes the results of the suite `rewrites` between the marks in docs/performance.md. */
export async function updateRewriteTable(): Promise<void> {
  const rows = await readRows<RewriteRow>(SOURCE, "rewrites");
  const machine = (await readMachines(SOURCE)).rewrites;
  if (rows.length === 0 || machine === undefined) {
    throw new Error("there is nothing to say of rewrites: npm run bench -- rewrites");
  }
  const text = [rewriteTable(rows), caption(rows[0]!, machine)].join("\n\n");
  await writeBetweenMarks(PAGE, "rewrites", text);
  console.log(text);
}

/** The gain from each measured rewrite, sorted by the gain in training; then from all of them. */
export function rewriteTable(rows: readonly RewriteRow[]): string {
  const find = (rewrite: RewriteRow["rewrite"], kind: RewriteRow["kind"]) =>
    rows.find((row) => row.rewrite === rewrite && row.kind === kind);
  const measured = REWRITES.map(({ name, sentence }) => ({
    name: `\`${name}\``,
    phrase: sentence,
    train: find(name, "train"),
    evaluate: find(name, "evaluate"),
  })).filter(({ train, evaluate }) => train ?? evaluate);
  const sorted = measured.sort((a, b) => descending(a.train?.ratio ?? 0, b.train?.ratio ?? 0));
  const all = {
    ...{ name: "all", phrase: "none is left out" },
    ...{ train: find("all", "train"), evaluate: find("all", "evaluate") },
  };
  const cells = [...sorted, all].map(({ name, phrase, train, evaluate }) => [
    ...[name, phrase],
    ...[train, evaluate].map(ratio),
  ]);
  return formatMarkdownTable(HEAD, cells, { align: ["left", "left", "right", "right"] });
}

function ratio(row: RewriteRow | undefined): string {
  if (row === undefined) return "–";
  return `${row.ratio.toFixed(2)}× (${row.ratioLow.toFixed(2)}–${row.ratioHigh.toFixed(2)})`;
}

function caption(
  { batch, size, pairs }: RewriteRow,
  { cpu, instructionSet, threads, node, onnxruntime }: Machine,
): string {
  return `Images/s of AlexNet-DY with the rewrite ÷ without it, batch ${batch}, ${size}×${size}: median (quartiles) of ${pairs} pairs of steps in one process. Removing a rewrite also disables those that depend on it. ${cpu} with ${instructionSet}, ${threads} threads; Node ${node}, ONNX Runtime ${onnxruntime}.`;
}
