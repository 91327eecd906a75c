import { fileURLToPath } from "node:url";
import type { MixingPlan } from "dyconv";
import type { LayerTask, Task, Variant } from "./protocol.js";
import type { Pytorch } from "./pytorch.js";

/** A program that can be timed: a command that speaks the protocol, and its settings. */
export interface Contender {
  /** Name of the library. */
  readonly name: string;
  /** How it computes, such as `mix-outputs` or `grouped eager`. */
  readonly how: string;
  /** Memory allocator, if it can be chosen. */
  readonly allocator: string;
  /** All three, for display. */
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly variant: Variant;
  /** Whether it can do a task in reasonable time. */
  takes(task: Task): boolean;
}

/** Ways to compute a dynamic convolution in PyTorch; `grouped` is the published one. See `peer.py`. */
export const FORMULATIONS = ["grouped", "unfold", "channels"] as const;
/** Ways to compute the dynamic convolutions of whole networks in PyTorch. See `peer_networks.py`. */
export type NetworkFormulation = "grouped" | "products" | "channels";
/** `frozen` compiles with the weights as constants, for evaluation. */
export type PytorchMode = "eager" | "channels-last eager" | "compiled" | "channels-last compiled" | "frozen";
/** Which `malloc` PyTorch uses. */
export type Allocator = "tcmalloc" | "system";

type Description = Omit<Contender, "title" | "takes"> & Partial<Pick<Contender, "takes">>;

function contender(description: Description): Contender {
  const { name, how, allocator } = description;
  return { takes: () => true, ...description, title: [name, how, allocator].filter(Boolean).join(" ") };
}

/** Makes glibc's allocator request pages of 2 MB instead of 4 kB from Linux. No effect on other systems. */
const HUGE_PAGES = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };

/** A contender that is run by tsx, like this process. */
function typescript(
  file: string,
  description: Omit<Description, "command" | "args" | "env" | "allocator"> &
    Partial<Pick<Description, "allocator">>,
) {
  const script = fileURLToPath(new URL(`../workers/${file}.ts`, import.meta.url));
  const args = [...process.execArgv, script];
  const { allocator = "" } = description;
  const env = allocator === "huge pages" ? HUGE_PAGES : {};
  return contender({ ...description, allocator, command: process.execPath, args, env });
}

/** dyconv itself, with a plan for its dynamic convolutions. */
export function dyconv(plan: MixingPlan | "auto" = "auto"): Contender {
  return typescript("dyconv", { name: "dyconv", how: plan, variant: { plan } });
}

/** dyconv with huge pages requested. */
export function dyconvOnHugePages(): Contender {
  return typescript("dyconv", {
    ...{ name: "dyconv", how: "auto", allocator: "huge pages" },
    variant: { plan: "auto" },
  });
}

/** PyTorch in one formulation. */
export function pytorch(
  { python, tcmalloc }: Pytorch,
  formulation: (typeof FORMULATIONS)[number] | NetworkFormulation,
  mode: PytorchMode,
  allocator: Allocator,
): Contender {
  return contender({
    name: "PyTorch",
    how: `${formulation} ${mode}`,
    allocator,
    command: python,
    args: [fileURLToPath(new URL("../workers/peer.py", import.meta.url))],
    env: allocator === "tcmalloc" ? { LD_PRELOAD: tcmalloc! } : {},
    variant: { formulation, mode },
  });
}

/** jax-js reaches about 0.3 GFLOP/s. It is not given tasks with more multiply-adds than this. */
const JAX_LIMIT = 3e8;

/** The JavaScript peers that are installed. They run forward passes of single layers. */
export function javascriptPeers(): readonly Contender[] {
  const forward = (task: Task): task is LayerTask => task.kind === "forward";
  const peers = [
    { packages: ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm"], file: "tfjs", takes: forward },
    {
      packages: ["@jax-js/jax"],
      file: "jax",
      takes: (task: Task) => forward(task) && task.experts * layerMultiplyAdds(task) < JAX_LIMIT,
    },
  ];
  return peers.flatMap(({ packages, file, takes }) => {
    if (packages.every(isInstalled)) {
      return [typescript(file, { name: packages[0]!, how: "channels", variant: {}, takes })];
    }
    console.error(`${file} is left out: npm install --no-save ${packages.join(" ")}`);
    return [];
  });
}

/** Multiply-adds of a layer's forward pass with one kernel per sample, without attention and mixing. */
export function layerMultiplyAdds({ batch, inChannels, outChannels, size }: LayerTask): number {
  return batch * inChannels * outChannels * 9 * size ** 2;
}

function isInstalled(packageName: string): boolean {
  try {
    return import.meta.resolve(packageName) !== "";
  } catch {
    return false;
  }
}
