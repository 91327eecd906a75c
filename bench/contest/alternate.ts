import { max, median, min } from "d3-array";
import type { Settings } from "../settings.js";
import { type Child, withChildren } from "./child.js";
import type { Contender } from "./contenders.js";
import type { NetworkTask, Round, Task } from "./protocol.js";

/** A child and what it is to do. */
export interface Turn {
  readonly child: Child;
  readonly task: Task;
}

/**
 * Lets contenders run in turn, one round each and then again, so that a slow minute of the machine meets all
 * of them.
 *
 * @returns the rounds of each; none for one that failed, which is said on standard error
 */
export async function alternate(turns: readonly Turn[], settings: Settings): Promise<readonly Round[][]> {
  const results: Round[][] = turns.map(() => []);
  const failed = new Set<Turn>();
  const attempt = async (turn: Turn, action: () => Promise<unknown>) => {
    if (failed.has(turn)) return;
    try {
      await action();
    } catch (error) {
      failed.add(turn);
      const { kind, batch } = turn.task;
      console.error(
        `${turn.child.contender.title} failed (${kind}, batch ${batch}): ${(error as Error).message}`,
      );
    }
  };
  for (const turn of turns) await attempt(turn, () => turn.child.open(turn.task));
  for (let round = 0; round < settings.rounds; round++) {
    for (const [n, turn] of turns.entries()) {
      await attempt(turn, async () => results[n]!.push(await turn.child.round(settings.seconds)));
    }
  }
  return results.map((rounds, n) => (failed.has(turns[n]!) ? [] : rounds));
}

/** dyconv and a rival, measured in alternation on the same batch. */
export interface Duel {
  readonly kind: NetworkTask["kind"];
  readonly network: string;
  readonly experts: number;
  readonly batch: number;
  readonly size: number;
  readonly threads: number;
  readonly rival: string;
  /** The rival's network. */
  readonly rivalNetwork: string;
  readonly how: string;
  readonly allocator: string;
  /** Medians over the rounds. */
  readonly imagesPerSecond: number;
  readonly rivalImagesPerSecond: number;
  /** dyconv's speed by the rival's in the same round: median, least and largest over the rounds. */
  readonly ratio: number;
  readonly ratioLow: number;
  readonly ratioHigh: number;
  readonly peakMegabytes: number;
  readonly rivalPeakMegabytes: number;
  readonly rounds: number;
}

/** The columns that tell one duel from another. */
export const DUEL_KEYS = [
  ...(["kind", "network", "experts", "batch", "size", "threads"] as const),
  ...(["rival", "rivalNetwork", "how", "allocator"] as const),
] as const satisfies readonly (keyof Duel)[];

/** Who stands against dyconv, and on which task: another network's cost may be what is asked. */
export interface Rival {
  readonly contender: Contender;
  readonly task: NetworkTask;
}

/**
 * Each side in a fresh process for every round: its peak memory is then that of this task, and where in the machine's
 * memory a process happens to lie, which makes up to a third of its speed, is drawn anew.
 */
export async function duel(
  task: NetworkTask,
  contender: Contender,
  rival: Rival,
  settings: Settings,
): Promise<Duel | undefined> {
  const ours: Round[] = [];
  const theirs: Round[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    const [mine, other] = await faceOff(task, contender, rival, settings);
    if (mine === undefined || other === undefined) return undefined;
    ours.push(mine);
    theirs.push(other);
  }
  const ratios = ours.map(({ seconds }, n) => theirs[n]!.seconds / seconds);
  const { kind, network, experts, batch, size, threads } = task;
  return {
    ...{ kind, network, experts, batch, size, threads },
    rival: rival.contender.name,
    rivalNetwork: rival.task.network,
    how: rival.contender.how,
    allocator: rival.contender.allocator,
    imagesPerSecond: batch / medianSeconds(ours),
    rivalImagesPerSecond: batch / medianSeconds(theirs),
    ratio: median(ratios)!,
    ratioLow: min(ratios)!,
    ratioHigh: max(ratios)!,
    peakMegabytes: peakMegabytes(ours),
    rivalPeakMegabytes: peakMegabytes(theirs),
    rounds: ours.length,
  };
}

/** One round of each side; nothing from one that failed. */
async function faceOff(
  task: NetworkTask,
  contender: Contender,
  rival: Rival,
  settings: Settings,
): Promise<readonly (Round | undefined)[]> {
  return withChildren([contender, rival.contender], async (children) => {
    if (children.length < 2) return [];
    const tasks = [task, rival.task];
    const turns = children.map((child, n) => ({ child, task: tasks[n]! }));
    const results = await alternate(turns, { ...settings, rounds: 1 });
    return results.map(([round]) => round);
  });
}

/** The median round. */
export function medianSeconds(rounds: readonly Round[]): number {
  return median(rounds, ({ seconds }) => seconds)!;
}

function peakMegabytes(rounds: readonly Round[]): number {
  return max(rounds, ({ peakMemoryBytes }) => peakMemoryBytes)! / 1e6;
}
