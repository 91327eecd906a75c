import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { arch, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ensureFolder, writeFileAtomically } from "dyconv/node";
import type { Settings } from "./settings.js";

/** The machine that a suite was run on, and its performance at the time. */
export interface Machine {
  readonly cpu: string;
  /** Widest vector instructions, which determine the speed of ONNX Runtime's kernels. */
  readonly instructionSet: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly system: string;
  readonly threads: number;
  readonly node: string;
  readonly onnxruntime: string;
  readonly pytorch: string | null;
  readonly tcmalloc: boolean;
  /**
   * Peak over several matrix products and convolutions through ONNX Runtime. A multiply-add counts as two
   * operations.
   */
  readonly gigaflopsPerSecond: number;
  /** Bytes read plus bytes written by an elementwise pass over 134 MB. */
  readonly gigabytesCopiedPerSecond: number;
}

/** The machines of all suites, by suite. */
export type Machines = Readonly<Record<string, Machine>>;

/** Reads the machines that the suites in a folder were run on. */
export async function readMachines(folder: string): Promise<Machines> {
  const path = join(folder, "machine.json");
  return existsSync(path) ? (JSON.parse(await readFile(path, "utf8")) as Machines) : {};
}

/** Measures the machine and records it for a suite, in `machine.json`. */
export async function recordMachine(suite: string, settings: Settings): Promise<Machine> {
  const { out, threads, pytorch } = settings;
  const rates = await measureRates(threads);
  const machine: Machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    instructionSet: await instructionSet(),
    cores: cpus().length,
    memoryGigabytes: Math.round(totalmem() / 1e9),
    system: `${type()} ${release()}`,
    threads,
    node: process.versions.node,
    onnxruntime: await versionOf("onnxruntime-node"),
    pytorch: pytorch?.version ?? null,
    tcmalloc: pytorch?.tcmalloc !== undefined,
    ...rates,
  };
  await ensureFolder(out);
  const machines = { ...(await readMachines(out)), [suite]: machine };
  await writeFileAtomically(join(out, "machine.json"), `${JSON.stringify(machines, null, 2)}\n`);
  console.log(`${machine.cpu}, ${rates.gigaflopsPerSecond} GFLOP/s, ${rates.gigabytesCopiedPerSecond} GB/s`);
  return machine;
}

/** Runs in a separate process, so that this one stays small: its children inherit its peak memory. */
async function measureRates(threads: number) {
  const script = fileURLToPath(new URL("workers/machine.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, script, `${threads}`]);
  return JSON.parse(stdout) as Pick<Machine, "gigaflopsPerSecond" | "gigabytesCopiedPerSecond">;
}

/** From Linux's list of processor features; on other systems, the architecture. */
export async function instructionSet(): Promise<string> {
  const features = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  if (/\bavx512f\b/.test(features)) return "AVX-512";
  return /\bavx2\b/.test(features) ? "AVX2" : arch();
}

async function versionOf(packageName: string): Promise<string> {
  const file = new URL("../package.json", import.meta.resolve(packageName));
  return (JSON.parse(await readFile(file, "utf8")) as { version: string }).version;
}

/** The machine in a sentence, for captions. */
export function machineWords(machine: Machine): string {
  const { cpu, instructionSet, threads, node, onnxruntime, pytorch } = machine;
  const { gigaflopsPerSecond, gigabytesCopiedPerSecond } = machine;
  return `${cpu} with ${instructionSet}, ${threads} threads, peak ${gigaflopsPerSecond} GFLOP/s and ${gigabytesCopiedPerSecond} GB/s; Node ${node}, ONNX Runtime ${onnxruntime}, PyTorch ${pytorch ?? "not found"}.`;
}
