import { join, resolve } from "node:path";
import { UsageError } from "../errors/index.js";
import { ensureFolder, writeFileAtomically } from "../files/index.js";
import { openRunData } from "../infer/run-data.js";
import {
  lossSpec,
  metricSpec,
  PUBLISHED_RESULTS,
  PUBLISHED_SOURCE,
  type ReportRun,
  type ReportSides,
  renderReport,
} from "../report/index.js";
import { type OpenRun, openRun } from "../runs/open-run.js";
import { installedVersions } from "../runs/versions.js";
import type { Metric } from "../tasks/index.js";
import { cautionsOf, repeatsPublished } from "./comparability.js";
import { readCurves } from "./curves.js";
import { drawFigure } from "./draw-figure.js";
import { reportRun } from "./report-run.js";
import { reportSides } from "./report-sides.js";
import { runNames } from "./run-names.js";

/** Result of {@link compareRuns}. */
export interface RunComparison {
  /** The metric that determines the best epoch. */
  readonly metric: Metric;
  /** The table's columns for each run, and more. */
  readonly runs: readonly ReportRun[];
  /** Reasons why the accuracies cannot be compared, one sentence each. Empty if they can. */
  readonly cautions: readonly string[];
  /** Comparison of two sides on the test images. Only present if two sides with the same data are given. */
  readonly sides?: ReportSides;
}

/** One or more runs of a model, to compare with others. */
export interface RunSide {
  readonly name: string;
  /** Folders of its runs. Those of both sides are paired in order. */
  readonly folders: readonly string[];
}

/**
 * Compares runs: collects the published table's columns for each, and writes a self-contained `report.html`
 * to `folder`, which is created if needed. Published figures are included if every run repeats that
 * experiment.
 *
 * @param sides two sides, whose folders are among `folders`, to compare on the test images too
 * @throws CheckpointError if a folder has no run with a finished epoch, the runs have different classes, or
 * their data has others
 * @throws DataError if the data of a run is gone
 */
export async function compareRuns(
  folders: readonly string[],
  folder: string,
  sides?: readonly [RunSide, RunSide],
): Promise<RunComparison> {
  if (new Set(folders.map((path) => resolve(path))).size < folders.length) {
    throw new UsageError("a run cannot be compared with itself", { hint: "a folder was given twice" });
  }
  const names = runNames(folders);
  const opened = await Promise.all(folders.map((path) => openRun(path)));
  const named = opened.map((run, i) => ({ ...run, name: names[i]! }));
  const pairs = sides && pairsOf(sides, new Map(folders.map((path, i) => [path, named[i]!])));
  // Differences between seeds are intended.
  const cautions = pairs ? [...new Set(pairs.flatMap(cautionsOf))] : cautionsOf(named);
  const runs: ReportRun[] = [];
  let published = true;
  for (const [i, run] of opened.entries()) {
    const data = await openRunData(run);
    const further = sides?.some(({ folders: [, ...others] }) => others.includes(folders[i]!));
    runs.push(await reportRun(folders[i]!, names[i]!, run, data, further));
    published &&= repeatsPublished(run, data);
  }
  const { task, loss, metric } = await readCurves(folders);
  const best = task.metrics[task.best]!;
  const sameData = pairs?.every(([one, other]) => one.dataFingerprint === other.dataFingerprint);
  const compared =
    sides && pairs && sameData && task.name === "classification"
      ? await reportSides([
          { name: sides[0].name, runs: pairs.map(([one]) => one) },
          { name: sides[1].name, runs: pairs.map(([, other]) => other) },
        ])
      : undefined;
  const report = renderReport({
    title: [...new Set(runs.map(({ model }) => model))].join(" against "),
    date: new Date(),
    metric: best,
    runs,
    cautions,
    figures: [
      await drawFigure(
        (width) => lossSpec(loss, { y: task.lossTitle, ...width }),
        "Training and validation loss each epoch; the faint line is every tenth step.",
      ),
      await drawFigure(
        (width) => metricSpec(best, metric, width),
        `${best.title} each epoch, in training and validation.`,
      ),
    ],
    dataNotes: dataNotes(opened, names),
    versions: installedVersions(),
    ...(compared && { sides: compared }),
    ...(published && { published: { results: PUBLISHED_RESULTS, source: PUBLISHED_SOURCE } }),
  });
  await ensureFolder(folder);
  await writeFileAtomically(join(folder, "report.html"), report);
  return { metric: best, runs, cautions, ...(compared && { sides: compared }) };
}

/** Pairs the runs of both sides by seed. */
function pairsOf<R>([first, second]: readonly [RunSide, RunSide], runs: ReadonlyMap<string, R>): [R, R][] {
  return first.folders.map((path, n) => [runs.get(path)!, runs.get(second.folders[n]!)!]);
}

/** A note on each data set, with the runs that used it if there are several. */
function dataNotes(runs: readonly OpenRun[], names: readonly string[]): string[] {
  const users = new Map<string, string[]>();
  for (const [i, { config, dataFingerprint, dataNote }] of runs.entries()) {
    const note = `${config.data}, fingerprint ${dataFingerprint}.${dataNote ? ` ${dataNote}` : ""}`;
    users.set(note, [...(users.get(note) ?? []), names[i]!]);
  }
  if (users.size === 1) return [`Data: ${[...users.keys()][0]}`];
  return [...users].map(([note, by]) => `Data of ${by.join(", ")}: ${note}`);
}
