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

/** What every suite is told. */
export interface Settings {
  /** How often each contender has its turn. */
  readonly rounds: number;
  /** About how long a turn takes. */
  readonly seconds: number;
  /** Threads of each contender; as many as dyconv takes by default. */
  readonly threads: number;
  /** Only to see that everything works: tiny batches, few rivals. */
  readonly quick: boolean;
  /** Folder of the results. */
  readonly out: string;
  readonly pytorch: Pytorch | undefined;
  /** Whether a measurement of this title is wanted. */
  wanted(title: string): boolean;
}

/** The folder of this repository. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Completes the flags. A quick run leaves the results of real ones alone. */
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
