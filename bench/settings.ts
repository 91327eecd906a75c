import { fileURLToPath } from "node:url";
import { threadsOf } from "dyconv";
import { findPytorch, type Pytorch } from "./contest/pytorch.js";

/** Options of the command line. */
export interface Flags {
  readonly rounds: number;
  readonly seconds: number;
  readonly threads?: number;
  readonly python: string;
  readonly match: string;
  readonly quick?: boolean;
}

/** Settings of every suite. */
export interface Settings {
  /** Number of turns per contender. */
  readonly rounds: number;
  /** Approximate duration of a turn. */
  readonly seconds: number;
  /** Threads per contender. Defaults to as many as dyconv uses. */
  readonly threads: number;
  /** Only check that everything works, with tiny batches and few rivals. */
  readonly quick: boolean;
  /** Folder for the results. */
  readonly out: string;
  readonly pytorch: Pytorch | undefined;
  /** Whether to run the measurement with this title. */
  wanted(title: string): boolean;
}

/** Root folder of this repository. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Completes the flags. A quick run does not overwrite the results of real ones. */
export async function settingsFrom({ quick = false, python, match, ...flags }: Flags): Promise<Settings> {
  return {
    ...flags,
    threads: flags.threads ?? (await threadsOf()),
    ...(quick && { rounds: 1, seconds: 0.05 }),
    quick,
    out: `${ROOT}${quick ? "runs/bench-quick" : "bench/results"}`,
    pytorch: await findPytorch(python),
    wanted: (title) => title.includes(match),
  };
}
