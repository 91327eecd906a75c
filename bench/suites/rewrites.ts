import { REWRITE_NAMES, type RewriteName } from "dyconv";
import { DUEL_KEYS, type Duel, duel } from "../contest/alternate.js";
import { dyconv, dyconvWithout } from "../contest/contenders.js";
import type { NetworkTask } from "../contest/protocol.js";
import { recordMachine } from "../machine.js";
import { saveRow } from "../output/results.js";
import type { Settings } from "../settings.js";

/**
 * dyconv against itself without one rewrite, or without all of them. The ratio is the gain from the rewrite.
 */
export interface RewriteRow extends Duel {
  readonly rewrite: RewriteName | "all";
}

/** Measures steps of AlexNet-DY with all rewrites against all but one, and against none: `rewrites.csv`. */
export async function runRewrites(settings: Settings): Promise<void> {
  await recordMachine("rewrites", settings);
  const each = settings.quick ? REWRITE_NAMES.slice(0, 1) : REWRITE_NAMES;
  for (const rewrite of [...each, "all"] as const) {
    const contender = dyconvWithout(rewrite === "all" ? REWRITE_NAMES : [rewrite], rewrite);
    for (const task of tasks(settings)) {
      const title = `${task.kind} ${contender.how}`;
      if (!settings.wanted(title)) continue;
      const row = await duel(task, dyconv(), { contender, task }, settings);
      if (row === undefined) continue;
      await saveRow<RewriteRow>(settings.out, "rewrites", { rewrite, ...row }, ["rewrite", ...DUEL_KEYS]);
      console.log(`${title}: ${row.rivalImagesPerSecond.toFixed(0)} images/s, ratio ${row.ratio.toFixed(3)}`);
    }
  }
}

function tasks({ quick, threads }: Settings): readonly NetworkTask[] {
  return (["train", "evaluate"] as const).map((kind) => ({
    ...{ kind, network: "alexnet-dy", experts: 2, size: 128, threads },
    batch: quick ? 2 : 64,
  }));
}
