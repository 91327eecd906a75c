import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * Start time of a process on this machine, in a system-specific format. It tells apart processes that had the
 * same id at different times.
 *
 * @returns `undefined` if the process is gone, or `""` if it runs and the system does not report its start
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
    // A process of another user also exists.
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Fields of `/proc/<pid>/stat`, counted from the state, which follows the name in parentheses. */
const STATE = 0;
const START_TICKS = 19;

function startOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended, and only waits for its parent.
    if (fields[STATE] === "Z" || fields[STATE] === "X") return undefined;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${fields[START_TICKS]}`;
  } catch {
    return "";
  }
}
