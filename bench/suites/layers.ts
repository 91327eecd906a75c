import { alternate, medianSeconds } from "../contest/alternate.js";
import { withChildren } from "../contest/child.js";
import {
  type Contender,
  dyconv,
  FORMULATIONS,
  javascriptPeers,
  layerMultiplyAdds,
  pytorch,
} from "../contest/contenders.js";
import type { LayerTask } from "../contest/protocol.js";
import { recordMachine } from "../machine.js";
import { saveRow } from "../output/results.js";
import type { Settings } from "../settings.js";

/** One contender on one layer. */
export interface LayerRow extends LayerTask {
  readonly contender: string;
  readonly how: string;
  readonly allocator: string;
  readonly milliseconds: number;
  /**
   * Counts useful arithmetic only, that of one kernel per sample. A multiply-add counts as two operations.
   */
  readonly gigaflopsPerSecond: number;
}

const KEYS = [
  ...(["kind", "inChannels", "outChannels", "size", "experts", "batch", "threads"] as const),
  ...(["contender", "how", "allocator"] as const),
] as const satisfies readonly (keyof LayerRow)[];

/** [in, out, size]: AlexNet-DY's layers, and those for wider networks and larger images. */
const LAYERS = [
  [128, 192, 7],
  [192, 192, 7],
  [64, 64, 28],
  [256, 256, 14],
] as const;

/**
 * Measures single dynamic layers: each plan of dyconv, each formulation of PyTorch, and the JavaScript peers.
 */
export async function runLayers(settings: Settings): Promise<void> {
  await recordMachine("layers", settings);
  // Each contender has one process for all layers.
  await withChildren(contenders(settings), async (children) => {
    for (const task of tasks(settings)) {
      const title = `${task.kind} ${task.inChannels}→${task.outChannels}, ${task.size}×${task.size}, K = ${task.experts}, batch ${task.batch}`;
      const turns = children
        .filter(({ contender }) => contender.takes(task) && settings.wanted(`${title} / ${contender.title}`))
        .map((child) => ({ child, task }));
      const results = await alternate(turns, settings);
      for (const [n, rounds] of results.entries()) {
        if (rounds.length === 0) continue;
        const row = rowOf(task, turns[n]!.child.contender, medianSeconds(rounds));
        await saveRow(settings.out, "layers", row, KEYS);
        console.log(`${title} / ${turns[n]!.child.contender.title}: ${row.milliseconds.toFixed(2)} ms`);
      }
    }
  });
}

function rowOf(task: LayerTask, { name, how, allocator }: Contender, seconds: number): LayerRow {
  const passes = task.kind === "forward" ? 1 : 3;
  return {
    ...task,
    ...{ contender: name, how, allocator },
    milliseconds: seconds * 1000,
    gigaflopsPerSecond: (2 * passes * layerMultiplyAdds(task)) / seconds / 1e9,
  };
}

function tasks({ quick, threads }: Settings): readonly LayerTask[] {
  const layers = quick ? ([[16, 32, 7]] as const) : LAYERS;
  return layers.flatMap(([inChannels, outChannels, size]) =>
    (quick ? [2] : [2, 4, 8]).flatMap((experts) =>
      (quick ? [2] : [1, 8, 64]).flatMap((batch) =>
        (["forward", "forward+backward"] as const).map((kind) => ({
          ...{ kind, inChannels, outChannels, size, experts, batch, threads },
        })),
      ),
    ),
  );
}

function contenders({ pytorch: peer, quick }: Settings): readonly Contender[] {
  const ours = (["auto", "aggregate", "mix-outputs", "mix-inputs"] as const).map(dyconv);
  if (peer === undefined) return [...ours, ...javascriptPeers()];
  const allocator = peer.tcmalloc === undefined ? "system" : "tcmalloc";
  return [
    ...ours,
    ...FORMULATIONS.map((formulation) => pytorch(peer, formulation, "eager", allocator)),
    ...(quick ? [] : [pytorch(peer, "channels", "compiled", allocator)]),
    ...javascriptPeers(),
  ];
}
