import { least, max, median, min } from "d3-array";
import type { Settings } from "../settings.js";
import { type Child, withChildren } from "./child.js";
import type { Contender } from "./contenders.js";
import type { NetworkTask, Round, Task } from "./protocol.js";

/** A child process and its task. */
export interface Turn {
  readonly child: Child;
  readonly task: Task;
}

/**
 * Runs contenders in turn, round by round, so that a slow minute of the machine affects all of them.
 *
 * @returns the rounds of each; none for one that failed, which is reported on standard error
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

/** dyconv and a rival, measured alternately on the same batch. */
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
  /** Speed of dyconv relative to the rival in the same round: median, minimum and maximum over the rounds. */
  readonly ratio: number;
  readonly ratioLow: number;
  readonly ratioHigh: number;
  readonly peakMegabytes: number;
  readonly rivalPeakMegabytes: number;
  readonly rounds: number;
}

/** The columns that identify a duel. */
export const DUEL_KEYS = [
  ...(["kind", "network", "experts", "batch", "size", "threads"] as const),
  ...(["rival", "rivalNetwork", "how", "allocator"] as const),
] as const satisfies readonly (keyof Duel)[];

/** A rival of dyconv, and its task, which may be another network to compare costs with. */
export interface Rival {
  readonly contender: Contender;
  readonly task: NetworkTask;
}

/**
 * Starts each side in a fresh process for every round. Its peak memory is then that of this task, and its
 * location in physical memory, which changes the speed by up to a third, is drawn anew.
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

/** The rival with the shortest first round, each in a fresh process; undefined if all failed. */
export async function fastest(rivals: readonly Rival[], settings: Settings): Promise<Rival | undefined> {
  const timed: { readonly rival: Rival; readonly seconds: number }[] = [];
  for (const rival of rivals) {
    const [rounds] = await withChildren([rival.contender], async ([child]) =>
      child === undefined ? [] : alternate([{ child, task: rival.task }], { ...settings, rounds: 1 }),
    );
    if (rounds?.[0] !== undefined) timed.push({ rival, seconds: rounds[0].seconds });
  }
  return least(timed, ({ seconds }) => seconds)?.rival;
}

/** One round of each side. Undefined if one failed. */
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
