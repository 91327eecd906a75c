import { DUEL_KEYS, duel, type Rival } from "../contest/alternate.js";
import { dyconv, type NetworkFormulation, type PytorchMode, pytorch } from "../contest/contenders.js";
import type { NetworkTask, PaperNetworkName } from "../contest/protocol.js";
import { recordMachine } from "../machine.js";
import { saveRow } from "../output/results.js";
import type { Settings } from "../settings.js";

/** Networks and their image sizes. */
const NETWORKS = [
  ["resnet18-cifar", 32],
  ["resnet18", 224],
  ["mobilenet-v2", 224],
  ["mobilenet-v3-small", 224],
] as const;

const LAYERS = ["", "/dyconv", "/odconv", "/kernel-warehouse"] as const;

type PaperTask = NetworkTask & { readonly network: PaperNetworkName };

/**
 * Measures the networks of the papers, dyconv against PyTorch in each formulation that the layer has, and
 * against its own static network: `networks.csv`. PyTorch's best is the smallest ratio of a task.
 */
export async function runNetworks(settings: Settings): Promise<void> {
  await recordMachine("networks", settings);
  for (const task of tasks(settings)) {
    const ratios: number[] = [];
    for (const rival of rivals(task, settings)) {
      const title = `${titleOf(task)} / ${rival.contender.title}${ofNetwork(rival, task)}`;
      if (!settings.wanted(title)) continue;
      const row = await duel(task, dyconv(), rival, settings);
      if (row === undefined) continue;
      await saveRow(settings.out, "networks", row, DUEL_KEYS);
      if (row.rival === "PyTorch") ratios.push(row.ratio);
      console.log(`${title}: ${row.imagesPerSecond.toFixed(1)} images/s, ratio ${row.ratio.toFixed(2)}`);
    }
    if (ratios.length > 0)
      console.log(`${titleOf(task)} / PyTorch's best: ${Math.min(...ratios).toFixed(2)}`);
  }
}

function titleOf({ kind, network, batch }: NetworkTask): string {
  return `${kind} ${network} batch ${batch}`;
}

function ofNetwork({ task }: Rival, { network }: NetworkTask): string {
  return task.network === network ? "" : ` ${task.network}`;
}

function tasks({ quick, threads }: Settings): readonly PaperTask[] {
  const networks = quick ? ([["mobilenet-v3-small", 32]] as const) : NETWORKS;
  const layers = quick ? (["", "/odconv"] as const) : LAYERS;
  return (["evaluate", "train"] as const).flatMap((kind) =>
    networks.flatMap(([network, size]) =>
      layers.flatMap((layer) =>
        (quick ? [2] : [1, 32]).map((batch) => ({
          ...{ kind, network: `${network}${layer}` as const, batch, size, threads },
          experts: 4,
        })),
      ),
    ),
  );
}

function rivals(task: PaperTask, { pytorch: peer, quick }: Settings): readonly Rival[] {
  const [network, layer] = task.network.split("/") as [PaperNetworkName, string?];
  const own = layer === undefined ? [] : [{ contender: dyconv(), task: { ...task, network } }];
  if (peer === undefined) return own;
  const allocator = peer.tcmalloc === undefined ? "system" : "tcmalloc";
  const others = formulationsOf(task).flatMap((formulation) =>
    modesOf(quick).map((mode) => ({ contender: pytorch(peer, formulation, mode, allocator), task })),
  );
  return [...own, ...others];
}

/**
 * The distinct formulations: for a single image, the first two both apply one convolution with one kernel.
 */
function formulationsOf({ network, batch }: PaperTask): readonly NetworkFormulation[] {
  if (!network.includes("/")) return ["grouped"];
  const kernels: readonly NetworkFormulation[] = batch === 1 ? ["grouped"] : ["grouped", "products"];
  return network.endsWith("kernel-warehouse") ? kernels : [...kernels, "channels"];
}

function modesOf(quick: boolean): readonly PytorchMode[] {
  return quick ? ["eager"] : ["eager", "channels-last eager", "compiled"];
}
