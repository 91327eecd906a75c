import { DUEL_KEYS, duel, type Rival } from "../contest/alternate.js";
import { dyconv, dyconvOnHugePages, FORMULATIONS, pytorch } from "../contest/contenders.js";
import type { NetworkTask } from "../contest/protocol.js";
import { recordMachine } from "../machine.js";
import { saveRow } from "../output/results.js";
import type { Settings } from "../settings.js";

/** Measures whole steps of AlexNet and AlexNet-DY, dyconv against each rival in turn: `steps.csv`. */
export async function runSteps(settings: Settings): Promise<void> {
  await recordMachine("steps", settings);
  for (const task of tasks(settings)) {
    for (const rival of rivals(task, settings)) {
      const title = `${task.kind} ${task.network} batch ${task.batch} / ${rival.contender.title}`;
      if (!settings.wanted(title)) continue;
      const row = await duel(task, dyconv(), rival, settings);
      if (row === undefined) continue;
      await saveRow(settings.out, "steps", row, DUEL_KEYS);
      console.log(`${title}: ${row.imagesPerSecond.toFixed(0)} images/s, ratio ${row.ratio.toFixed(2)}`);
    }
  }
}

function tasks({ quick, threads }: Settings): readonly NetworkTask[] {
  const batches = quick ? { train: [2], evaluate: [1] } : { train: [1, 64, 512], evaluate: [1, 64, 512] };
  return (["train", "evaluate"] as const).flatMap((kind) =>
    batches[kind].flatMap((batch) =>
      (["alexnet-dy", "alexnet"] as const).map((network) => ({
        ...{ kind, network, batch, threads },
        experts: 2,
        size: 128,
      })),
    ),
  );
}

function rivals(task: NetworkTask, settings: Settings): readonly Rival[] {
  const dynamic = task.network === "alexnet-dy";
  const others = pytorchRivals(task, settings).map((contender) => ({ contender, task }));
  const own = [
    { contender: dyconv(), task: { ...task, network: "alexnet" } },
    { contender: dyconvOnHugePages(), task },
  ] as const;
  return dynamic ? [...own, ...others] : others;
}

function pytorchRivals({ kind, network }: NetworkTask, { pytorch: peer, quick }: Settings) {
  if (peer === undefined) return [];
  const formulations = network === "alexnet" ? (["grouped"] as const) : FORMULATIONS;
  const compiled = kind === "train" ? (["compiled"] as const) : (["compiled", "frozen"] as const);
  const allocators = peer.tcmalloc === undefined ? (["system"] as const) : (["tcmalloc", "system"] as const);
  return formulations.flatMap((formulation) => [
    ...allocators.map((allocator) => pytorch(peer, formulation, "eager", allocator)),
    ...(quick ? [] : compiled.map((mode) => pytorch(peer, formulation, mode, allocators[0]))),
  ]);
}
