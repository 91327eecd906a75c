import { totalmem } from "node:os";

/** Bytes of memory available to this process: the machine's, or the limit of its control group. */
export function machineMemory(): number {
  const granted = process.constrainedMemory?.() ?? 0;
  return granted > 0 ? Math.min(granted, totalmem()) : totalmem();
}

/** Formats a number of bytes, such as `3.2 GB`. */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toLocaleString("en", { maximumSignificantDigits: 3 })} GB`;
}
