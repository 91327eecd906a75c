import { z } from "zod";
import { CheckpointError } from "../errors/index.js";
import { sha256 } from "../files/sha256.js";

/** An event in the history of a run: its start, or a change of its configuration. */
export interface HistoryEntry {
  /** ISO 8601. */
  readonly date: string;
  /** Epochs and steps done at that time. */
  readonly epoch: number;
  readonly step: number;
  /** Identifies everything that the weights depend on from here on. Checkpoints record it. */
  readonly id: string;
  /**
   * Changed values, by their names in the configuration. `from` or `to` is absent if the value is not set.
   */
  readonly changes: Readonly<Record<string, Change>>;
}

/** A value before and after. */
export interface Change {
  readonly from?: unknown;
  readonly to?: unknown;
}

/** An entry as `config.json` holds it. */
export const historyEntrySchema: z.ZodType<HistoryEntry> = z.object({
  date: z.string(),
  epoch: z.int(),
  step: z.int(),
  id: z.string(),
  changes: z.record(
    z.string(),
    z.object({ from: z.unknown().exactOptional(), to: z.unknown().exactOptional() }),
  ),
});

/**
 * Hashes the given values to an identity. Equal values, and so runs that are equal bit for bit, have the same
 * one.
 */
export async function identify(determinants: unknown): Promise<string> {
  return (await sha256([JSON.stringify(determinants)])).slice(0, 32);
}

/** The origin of a checkpoint. */
interface Origin {
  /** Identity in its metadata. */
  readonly id: string | undefined;
  /** Steps done when it was written. */
  readonly step: number;
}

/**
 * Checks that a checkpoint was written by a run.
 *
 * @param path of the checkpoint, for the error
 * @throws CheckpointError if it was written by another run, or by this one before its configuration changed
 */
export function assertWrittenBy(history: readonly HistoryEntry[], { id, step }: Origin, path: string): void {
  const [first] = history;
  // Runs and checkpoints of the first version have no identity.
  if (first === undefined || (id === undefined && first.step > 0 && step <= first.step)) return;
  const index = history.findIndex((entry) => entry.id === id);
  const until = history[index + 1]?.step ?? Infinity;
  if (index >= 0 && step <= until) return;
  throw new CheckpointError(`${path} was written by another run`, {
    hint: "put the run's own checkpoint back; to start from these weights, start a new run with --init",
  });
}
