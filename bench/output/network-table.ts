import { join } from "node:path";
import { groups, sort } from "d3-array";
import { formatMarkdownTable } from "dyconv/node";
import type { Duel } from "../contest/alternate.js";
import { machineWords, readMachines } from "../machine.js";
import { ROOT } from "../settings.js";
import { writeBetweenMarks } from "./marks.js";
import { readRows } from "./results.js";

const SOURCE = join(ROOT, "bench/results");
const PAGE = join(ROOT, "docs/performance.md");
const HEAD = ["network", "batch", "dyconv", "PyTorch's fastest", "÷ PyTorch", "÷ static"];

/** Evaluation first, by network, then by layer, the static network before the others. */
const ORDER = [
  ({ kind }: Duel) => kind,
  ({ network }: Duel) => network.split("/")[0]!,
  ({ network }: Duel) => network,
  ({ batch }: Duel) => batch,
] as const;

/** Writes the results of the suite `networks`, if there are any, between the marks in docs/performance.md. */
export async function updateNetworkTable(): Promise<void> {
  const duels = sort(await readRows<Duel>(SOURCE, "networks"), ...ORDER);
  const machine = (await readMachines(SOURCE)).networks;
  if (duels.length === 0 || machine === undefined) return;
  const text = [
    ...groups(duels, ({ kind }) => kind).map(
      ([kind, ofKind]) => `${kind === "train" ? "Training" : "Evaluating"}:\n\n${networkTable(ofKind)}`,
    ),
    `Images/s. "÷ PyTorch" is dyconv's speed divided by PyTorch's, "÷ static" by that of the same network without dynamic layers in dyconv: medians of ${duels[0]!.rounds} rounds. ${machineWords(machine)}`,
  ].join("\n\n");
  await writeBetweenMarks(PAGE, "networks", text);
}

function networkTable(duels: readonly Duel[]): string {
  const rows = groups(duels, ({ network, batch }) => `${network} ${batch}`).map(([, rivals]) => {
    const peer = rivals.find(({ rival }) => rival === "PyTorch");
    const twin = rivals.find(({ rival }) => rival === "dyconv");
    const { network, batch, imagesPerSecond } = peer ?? rivals[0]!;
    return [
      ...[network, `${batch}`, rate(imagesPerSecond)],
      peer ? `${rate(peer.rivalImagesPerSecond)} (${peer.how})` : "–",
      ...[peer, twin].map((duel) => duel?.ratio.toFixed(2) ?? "–"),
    ];
  });
  return formatMarkdownTable(HEAD, rows, { align: ["left", "right", "right", "left", "right", "right"] });
}

function rate(imagesPerSecond: number): string {
  return imagesPerSecond.toFixed(imagesPerSecond < 100 ? 1 : 0);
}
