import { DUEL_KEYS, type Duel, duel } from "../contest/alternate.js";
import { dyconv, pytorch } from "../contest/contenders.js";
import type { NetworkTask } from "../contest/protocol.js";
import { recordMachine } from "../machine.js";
import { saveRow } from "../output/results.js";
import type { Settings } from "../settings.js";

/** The quantity that grows while all others stay the same. */
export type Axis = "batch" | "experts" | "size";

/** A duel, and the axis that it is a point on. */
export interface GrowthRow extends Duel {
  readonly axis: Axis;
}

const POINTS: Readonly<Record<Axis, readonly number[]>> = {
  batch: [1, 4, 16, 64, 256, 1024],
  experts: [1, 2, 4, 8, 16],
  size: [32, 64, 96, 128, 160, 192, 224],
};
const QUICK_POINTS: typeof POINTS = { batch: [1, 2], experts: [1, 2], size: [32, 64] };

/**
 * Measures how speed and memory grow with batch size, K and image size, against PyTorch's fastest formulation
 * and the published one.
 */
export async function runGrowth(settings: Settings): Promise<void> {
  await recordMachine("growth", settings);
  for (const [axis, task] of tasks(settings)) {
    for (const contender of rivals(settings)) {
      const title = `${task.kind} ${axis} ${task[axis]} / ${contender.title}`;
      if (!settings.wanted(title)) continue;
      const row = await duel(task, dyconv(), { contender, task }, settings);
      if (row === undefined) continue;
      await saveRow<GrowthRow>(settings.out, "growth", { axis, ...row }, ["axis", ...DUEL_KEYS]);
      console.log(`${title}: ${row.imagesPerSecond.toFixed(0)} images/s, ratio ${row.ratio.toFixed(2)}`);
    }
  }
}

function tasks({ quick, threads }: Settings): readonly (readonly [Axis, NetworkTask])[] {
  const points = Object.entries(quick ? QUICK_POINTS : POINTS) as [Axis, readonly number[]][];
  return points.flatMap(([axis, values]) =>
    values.flatMap((value) =>
      (["train", "evaluate"] as const).map((kind) => {
        const network = axis === "size" ? "alexnet-dy-pooled" : "alexnet-dy";
        const base = { kind, network, experts: 2, batch: quick ? 2 : 64, size: 128, threads } as const;
        return [axis, { ...base, [axis]: value }] as const;
      }),
    ),
  );
}

function rivals({ pytorch: peer }: Settings) {
  // Without PyTorch, dyconv is measured against itself, so that its own curves can be plotted.
  if (peer === undefined) return [dyconv()];
  const allocator = peer.tcmalloc === undefined ? "system" : "tcmalloc";
  return [pytorch(peer, "channels", "eager", allocator), pytorch(peer, "grouped", "eager", allocator)];
}
