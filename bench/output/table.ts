import { join } from "node:path";
import { ascending, descending, groups, least, median, sort } from "d3-array";
import { alexnetDy } from "dyconv";
import { formatMarkdownTable, summarize } from "dyconv/node";
import type { Duel } from "../contest/alternate.js";
import { type Machine, machineWords, readMachines } from "../machine.js";
import { ROOT } from "../settings.js";
import type { StartupRow } from "../suites/startup.js";
import { writeBetweenMarks } from "./marks.js";
import { readRows } from "./results.js";

const SOURCE = join(ROOT, "bench/results");
const README = join(ROOT, "README.md");
const PAGE = join(ROOT, "docs/performance.md");
const IMAGE_SIZE = 128;

const SHORT_HEAD = ["step", "batch", "dyconv, images/s", "PyTorch's fastest, images/s", "ratio"];
const FULL_HEAD = [
  ...["step", "batch", "dyconv", "PyTorch's fastest", "÷ fastest", "÷ published"],
  ...["÷ published, system's malloc", "memory", "PyTorch's"],
];

/**
 * Writes the results of the suites `steps` and `startup`: a summary to README.md, all of them to
 * docs/performance.md.
 */
export async function updateStepTables(): Promise<void> {
  const duels = await readRows<Duel>(SOURCE, "steps");
  const machine = (await readMachines(SOURCE)).steps;
  if (duels.length === 0 || machine === undefined) {
    throw new Error("there are no results: npm run bench -- steps");
  }
  const startups = await readRows<StartupRow>(SOURCE, "startup");
  const steps = byStep(duels);
  await writeBetweenMarks(
    README,
    "bench",
    [
      formatMarkdownTable(SHORT_HEAD, steps.map(shortRow)),
      `Images of ${IMAGE_SIZE}×${IMAGE_SIZE} pixels. ${machineWords(machine)}`,
    ].join("\n\n"),
  );
  const facts = [
    ...networkRatios(duels),
    ...hugePages(duels),
    ...peakShares(duels, machine),
    ...startupFacts(startups),
  ];
  await writeBetweenMarks(
    PAGE,
    "steps",
    [
      formatMarkdownTable(FULL_HEAD, steps.map(fullRow)),
      `Images/s at ${IMAGE_SIZE}×${IMAGE_SIZE}; "÷" is dyconv's speed divided by PyTorch's. "Published" is the grouped convolution, eager. ${machineWords(machine)}`,
      facts.join("\n"),
    ].join("\n\n"),
  );
}

/** The duels of each step of each network: training first, by batch, the dynamic network before its static twin. */
function byStep(duels: readonly Duel[]): readonly (readonly Duel[])[] {
  const against = sort(
    duels.filter(({ rival }) => rival === "PyTorch"),
    (a, b) => descending(a.kind, b.kind) || ascending(a.batch, b.batch) || descending(a.network, b.network),
  );
  return groups(against, ({ kind, network, batch }) => `${kind} ${network} ${batch}`).map(([, step]) => step);
}

function shortRow(duels: readonly Duel[]): readonly string[] {
  const { kind, network, batch, imagesPerSecond, rivalImagesPerSecond, ratio } = least(
    duels,
    ({ ratio }) => ratio,
  )!;
  return [
    `${kind} ${network}`,
    `${batch}`,
    imagesPerSecond.toFixed(0),
    rivalImagesPerSecond.toFixed(0),
    ratio.toFixed(2),
  ];
}

function fullRow(duels: readonly Duel[]): readonly string[] {
  const best = least(duels, ({ ratio }) => ratio)!;
  const dynamic = best.network !== "alexnet";
  const published = (system: boolean) =>
    duels.find(({ how, allocator }) => how === "grouped eager" && (allocator === "system") === system);
  const ratio = (duel: Duel | undefined) => (dynamic && duel ? duel.ratio.toFixed(2) : "–");
  return [
    `${best.kind} ${best.network}`,
    `${best.batch}`,
    best.imagesPerSecond.toFixed(0),
    `${best.rivalImagesPerSecond.toFixed(0)} (${howOf(best, dynamic)})`,
    best.ratio.toFixed(2),
    ratio(published(false)),
    ratio(published(true)),
    best.kind === "train" ? `${best.peakMegabytes.toFixed(0)} MB` : "–",
    best.kind === "train" ? `${best.rivalPeakMegabytes.toFixed(0)} MB` : "–",
  ];
}

/** A static network has no formulation, only a mode. */
function howOf({ how, allocator }: Duel, dynamic: boolean): string {
  return `${dynamic ? how : how.split(" ").at(-1)}, ${allocator}`;
}

/** AlexNet-DY against AlexNet, both dyconv. */
function networkRatios(duels: readonly Duel[]): readonly string[] {
  const ratios = duels
    .filter(({ rival, network, rivalNetwork }) => rival === "dyconv" && rivalNetwork !== network)
    .map(({ kind, batch, ratio }) => `${ratio.toFixed(2)} (${kind}, batch ${batch})`);
  return ratios.length === 0 ? [] : [`- Speed of AlexNet-DY ÷ AlexNet, both dyconv: ${ratios.join(", ")}.`];
}

/** dyconv by default against dyconv with huge pages. */
function hugePages(duels: readonly Duel[]): readonly string[] {
  const ratios = duels
    .filter(({ allocator }) => allocator === "huge pages")
    .map(({ kind, batch, ratio }) => `${(1 / ratio).toFixed(2)} (${kind}, batch ${batch})`);
  if (ratios.length === 0) return [];
  return [`- Speed of AlexNet-DY with huge pages ÷ without, as in the table: ${ratios.join(", ")}.`];
}

/** The share of the measured peak that training AlexNet-DY reaches. */
function peakShares(duels: readonly Duel[], { gigaflopsPerSecond }: Machine): readonly string[] {
  const { multiplyAdds, layers } = summarize(alexnetDy(), { imageSize: IMAGE_SIZE });
  // The backward pass costs twice the forward pass, but the images need no gradient.
  const perImage = 2 * (3 * multiplyAdds - layers[0]!.multiplyAdds);
  return byStep(duels)
    .filter((step) => step.every(({ kind, network }) => kind === "train" && network === "alexnet-dy"))
    .map((step) => {
      const { batch } = step[0]!;
      const reached = (median(step, ({ imagesPerSecond }) => imagesPerSecond)! * perImage) / 1e9;
      const share = (100 * reached) / gigaflopsPerSecond;
      return `- Training AlexNet-DY at batch ${batch}: ${reached.toFixed(0)} GFLOP/s, ${share.toFixed(0)} % of the peak.`;
    });
}

function startupFacts(rows: readonly StartupRow[]): readonly string[] {
  return groups(rows, ({ network, data }) => `dyconv train ${network} --data ${data}`).map(
    ([command, batches]) => {
      const times = batches.map(
        ({ batch, secondsToFirstStep }) => `${secondsToFirstStep.toFixed(1)} s (batch ${batch})`,
      );
      return `- From \`${command}\` to its first step: ${times.join(", ")}.`;
    },
  );
}
