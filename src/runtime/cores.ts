import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Reads a small file; `undefined` if it does not exist. */
export type ReadText = (path: string) => string | undefined;

/**
 * Number of cores available to this process: those of its CPU affinity, limited by the quota of its control group
 * (`cpu.max` of cgroup v2, `cpu.cfs_quota_us` of v1), rounded up.
 */
export function usableCores(read: ReadText = readText, online = availableParallelism()): number {
  const granted = [...quotasV2(read), ...quotasV1(read)];
  return Math.max(1, Math.min(online, ...granted.map(Math.ceil)));
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Paths of this process's control groups, from its own up to the root. A limit on any of them applies. */
function groupPaths(read: ReadText, line: RegExp): readonly string[] {
  const path = line.exec(read("/proc/self/cgroup") ?? "")?.[1];
  if (path === undefined) return [""];
  const parts = path.split("/").filter((part) => part !== "");
  return [...parts.map((_, i) => `/${parts.slice(0, parts.length - i).join("/")}`), ""];
}

function quotasV2(read: ReadText): readonly number[] {
  return groupPaths(read, /^0::(.*)$/m).flatMap((path) => {
    const [quota, period] = (read(`/sys/fs/cgroup${path}/cpu.max`) ?? "").trim().split(" ");
    return quotient(quota, period);
  });
}

function quotasV1(read: ReadText): readonly number[] {
  return groupPaths(read, /^\d+:(?:.*,)?cpu(?:,[^:]*)?:(.*)$/m).flatMap((path) =>
    quotient(
      read(`/sys/fs/cgroup/cpu${path}/cpu.cfs_quota_us`),
      read(`/sys/fs/cgroup/cpu${path}/cpu.cfs_period_us`),
    ),
  );
}

/** Empty if there is no limit: `max` in v2, −1 in v1, or no file. */
function quotient(quota: string | undefined, period: string | undefined): readonly number[] {
  const cores = Number(quota) / Number(period);
  return cores > 0 && Number.isFinite(cores) ? [cores] : [];
}
