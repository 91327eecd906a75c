import { median, quantile } from "d3-array";
import {
  evaluationWorkload,
  REWRITE_NAMES,
  type RewriteName,
  trainingWorkload,
  type Workload,
  type WorkloadOptions,
} from "dyconv";
import type { NetworkTask } from "../contest/protocol.js";
import { recordMachine } from "../machine.js";
import { saveRow } from "../output/results.js";
import type { Settings } from "../settings.js";
import { networkOf } from "../workers/networks.js";

/** AlexNet-DY with all rewrites beside itself without one, or without all of them. */
export interface RewriteRow {
  readonly rewrite: RewriteName | "all";
  readonly kind: NetworkTask["kind"];
  readonly batch: number;
  readonly size: number;
  readonly threads: number;
  /** With all rewrites. */
  readonly imagesPerSecond: number;
  readonly imagesPerSecondWithout: number;
  /** The gain from the rewrite, over pairs of steps: median and quartiles. */
  readonly ratio: number;
  readonly ratioLow: number;
  readonly ratioHigh: number;
  readonly pairs: number;
}

const SIZE = 128;
const PAIRS_PER_ROUND = 4;
/** Pairs of steps that are not counted. */
const WARM_UP = 2;

/**
 * Measures steps of AlexNet-DY with all rewrites against all but one, and against none: `rewrites.csv`. Both run step by
 * step in one process, since fresh processes differ by more than most rewrites gain.
 */
export async function runRewrites(settings: Settings): Promise<void> {
  await recordMachine("rewrites", settings);
  const each = settings.quick ? REWRITE_NAMES.slice(0, 1) : REWRITE_NAMES;
  for (const rewrite of [...each, "all"] as const) {
    for (const kind of ["train", "evaluate"] as const) {
      const title = `${kind} without ${rewrite}`;
      if (!settings.wanted(title)) continue;
      const row = await compareSteps(rewrite, kind, settings);
      await saveRow(settings.out, "rewrites", row, ["rewrite", "kind", "batch", "size", "threads"]);
      console.log(
        `${title}: ${row.imagesPerSecondWithout.toFixed(0)} images/s, ratio ${row.ratio.toFixed(3)}`,
      );
    }
  }
}

async function compareSteps(
  rewrite: RewriteRow["rewrite"],
  kind: RewriteRow["kind"],
  { threads, rounds, quick }: Settings,
): Promise<RewriteRow> {
  const batch = quick ? 2 : 64;
  const options = { batchSize: batch, imageSize: SIZE, threads, sharesCores: true };
  const whole = await open(kind, options);
  const reduced = await open(kind, {
    ...options,
    withoutRewrites: rewrite === "all" ? REWRITE_NAMES : [rewrite],
  });
  const pairs: { readonly whole: number; readonly reduced: number }[] = [];
  for (let n = -WARM_UP; n < PAIRS_PER_ROUND * rounds; n++) {
    // Either goes first in turn.
    const early = n % 2 === 0 ? await secondsOf(whole) : undefined;
    const pair = { reduced: await secondsOf(reduced), whole: early ?? (await secondsOf(whole)) };
    if (n >= 0) pairs.push(pair);
  }
  await whole.dispose();
  await reduced.dispose();
  const ratios = pairs.map(({ whole, reduced }) => reduced / whole);
  return {
    ...{ rewrite, kind, batch, size: SIZE, threads },
    imagesPerSecond: batch / median(pairs, ({ whole }) => whole)!,
    imagesPerSecondWithout: batch / median(pairs, ({ reduced }) => reduced)!,
    ratio: median(ratios)!,
    ratioLow: quantile(ratios, 0.25)!,
    ratioHigh: quantile(ratios, 0.75)!,
    pairs: pairs.length,
  };
}

function open(kind: RewriteRow["kind"], options: WorkloadOptions): Promise<Workload> {
  const model = networkOf("alexnet-dy", { experts: 2 });
  return kind === "train" ? trainingWorkload(model, options) : evaluationWorkload(model, options);
}

async function secondsOf(workload: Workload): Promise<number> {
  const start = performance.now();
  await workload.run();
  return (performance.now() - start) / 1000;
}
