import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * When a process of this machine began, in the system's own words: two processes that had one id at different
 * times differ in it.
 *
 * @returns `undefined` where the process is gone, or `""` where it runs and the system does not say since when
 */
export function processStart(pid: number): string | undefined {
  if (!exists(pid)) return undefined;
  if (process.platform === "linux") return startOnLinux(pid);
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return "";
  }
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (cause) {
    // A process of another user exists, too.
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Fields of `/proc/<pid>/stat`, counted from the state, which follows the name in brackets. */
const STATE = 0;
const START_TICKS = 19;

function startOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended and only waits to be noticed.
    if (fields[STATE] === "Z" || fields[STATE] === "X") return undefined;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${fields[START_TICKS]}`;
  } catch {
    return "";
  }
}
