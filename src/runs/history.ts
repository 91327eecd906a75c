import { createHash } from "node:crypto";
import { z } from "zod";
import { CheckpointError } from "../errors/index.js";

/** A time from which a run went on as its configuration says: its beginning, or a change. */
export interface HistoryEntry {
  /** ISO 8601. */
  readonly date: string;
  /** Epochs and steps that were done by then. */
  readonly epoch: number;
  readonly step: number;
  /** Identifies what the weights from there on depend on; checkpoints carry it. */
  readonly id: string;
  /** What changed, by its name in the configuration; a value that is not set is absent. */
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

/** An identity of whatever is given, and the same for the same: runs that are alike to the last bit share it. */
export function identify(determinants: unknown): string {
  return createHash("sha256").update(JSON.stringify(determinants)).digest("hex").slice(0, 32);
}

/** What a checkpoint says of where it comes from. */
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
 * @throws CheckpointError if another run wrote it, or the same before its configuration changed
 */
export function assertWrittenBy(history: readonly HistoryEntry[], { id, step }: Origin, path: string): void {
  const [first] = history;
  // Runs and checkpoints of the first version have no identity.
  if (first === undefined || (id === undefined && first.step > 0 && step <= first.step)) return;
  const index = history.findIndex((entry) => entry.id === id);
  const until = history[index + 1]?.step ?? Infinity;
  if (index >= 0 && step <= until) return;
  throw new CheckpointError(`${path} was written by another run`, {
    hint: "put the run's own checkpoint back; to start from these weights, begin a new run with --init",
  });
}
