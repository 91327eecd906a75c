import { duel, fastest, type Rival } from "../contest/alternate.js";
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
 * Measures the networks of the papers: `networks.csv`. dyconv duels with its own static network and with PyTorch in the
 * fastest formulation that the layer has, which one turn of each formulation tells.
 *
 * @param eager leaves out `torch.compile`
 */
export async function runNetworks(settings: Settings, eager = false): Promise<void> {
  await recordMachine("networks", settings);
  for (const task of tasks(settings)) {
    const wanted = (rival: Rival) => settings.wanted(titleOf(task, rival));
    const peer = await fastest(peers(task, settings, eager || settings.quick).filter(wanted), settings);
    for (const rival of [...staticTwin(task).filter(wanted), ...(peer ? [peer] : [])]) {
      const row = await duel(task, dyconv(), rival, settings);
      if (row === undefined) continue;
      await saveRow(settings.out, "networks", row, ["kind", "network", "batch", "size", "threads", "rival"]);
      console.log(
        `${titleOf(task, rival)}: ${row.imagesPerSecond.toFixed(1)} images/s, ratio ${row.ratio.toFixed(2)}`,
      );
    }
  }
}

function titleOf({ kind, network, batch }: NetworkTask, rival: Rival): string {
  return `${kind} ${network} batch ${batch} / ${rival.contender.title} ${rival.task.network}`;
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

/** The same network without dynamic layers. */
function staticTwin(task: PaperTask): readonly Rival[] {
  const [network, layer] = task.network.split("/") as [PaperNetworkName, string?];
  return layer === undefined ? [] : [{ contender: dyconv(), task: { ...task, network } }];
}

function peers(task: PaperTask, { pytorch: peer }: Settings, eager: boolean): readonly Rival[] {
  if (peer === undefined) return [];
  const allocator = peer.tcmalloc === undefined ? "system" : "tcmalloc";
  return formulationsOf(task).flatMap((formulation) =>
    modesOf(eager).map((mode) => ({ contender: pytorch(peer, formulation, mode, allocator), task })),
  );
}

/**
 * The distinct formulations: for a single image, the first two both apply one convolution with one kernel.
 */
function formulationsOf({ network, batch }: PaperTask): readonly NetworkFormulation[] {
  if (!network.includes("/")) return ["grouped"];
  const kernels: readonly NetworkFormulation[] = batch === 1 ? ["grouped"] : ["grouped", "products"];
  return network.endsWith("kernel-warehouse") ? kernels : [...kernels, "channels"];
}

function modesOf(eager: boolean): readonly PytorchMode[] {
  return ["eager", "channels-last eager", ...(eager ? [] : (["compiled"] as const))];
}
