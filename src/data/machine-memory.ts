import { totalmem } from "node:os";

/** Bytes of memory that this process can have: the machine's, or what its control group grants of it. */
export function machineMemory(): number {
  const granted = process.constrainedMemory?.() ?? 0;
  return granted > 0 ? Math.min(granted, totalmem()) : totalmem();
}

/** A number of bytes to read, such as `3.2 GB`. */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toLocaleString("en", { maximumSignificantDigits: 3 })} GB`;
}
