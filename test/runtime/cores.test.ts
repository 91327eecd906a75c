import { availableParallelism } from "node:os";
import { matmul, spec, threadsOf, UsageError } from "dyconv";
import { describe, expect, it } from "vitest";
import { loadBackend } from "../../src/runtime/backend.node.js";
import { usableCores } from "../../src/runtime/cores.js";
import { Session } from "../../src/runtime/session.js";
import { trace } from "../../src/trace/index.js";

const files = (entries: Readonly<Record<string, string>>) => (path: string) => entries[path];

describe("cores that the process may use", () => {
  it.each([
    ["no control group", {}, 8],
    ["no limit", { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n" }, 8],
    ["a container's limit", { "/sys/fs/cgroup/cpu.max": "150000 100000\n" }, 2],
    ["less than one core", { "/sys/fs/cgroup/cpu.max": "20000 100000\n" }, 1],
    ["a limit above the cores", { "/sys/fs/cgroup/cpu.max": "6400000 100000\n" }, 8],
    [
      "a limit of the group around it",
      {
        "/proc/self/cgroup": "0::/user.slice/job\n",
        "/sys/fs/cgroup/user.slice/job/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/user.slice/cpu.max": "300000 100000\n",
      },
      3,
    ],
    [
      "version 1",
      {
        "/proc/self/cgroup": "5:memory:/a\n4:cpu,cpuacct:/a\n",
        "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "400000\n",
        "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
      },
      4,
    ],
    [
      "version 1 without a limit",
      { "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n" },
      8,
    ],
  ])("%s", (_, entries, cores) => {
    expect(usableCores(files(entries), 8)).toBe(cores);
  });

  it("is at least one and no more than there are", () => {
    expect(usableCores()).toBeGreaterThanOrEqual(1);
    expect(usableCores()).toBeLessThanOrEqual(availableParallelism());
  });
});

describe("threads", () => {
  it("are one for each usable core by default", async () => {
    expect(await threadsOf()).toBe(usableCores());
    expect(await threadsOf({ device: "wasm" })).toBe(usableCores());
  });

  it("are as asked, up to the usable cores", async () => {
    expect(await threadsOf({ threads: 1 })).toBe(1);
    expect(await threadsOf({ threads: 1000 })).toBe(usableCores());
  });

  it("are given to ONNX Runtime in either case", async () => {
    const { InferenceSession } = await loadBackend("cpu");
    const create = InferenceSession.create;
    const given: unknown[] = [];
    InferenceSession.create = (async (...args: Parameters<typeof create>) => {
      given.push((args[1] as { intraOpNumThreads?: number }).intraOpNumThreads);
      return create.apply(InferenceSession, args);
    }) as typeof create;
    try {
      const { graph } = trace((x, y) => matmul(x, y), [spec([2, 3]), spec([3, 2])]);
      for (const threads of [undefined, 1, 1000]) {
        const session = await Session.open(graph, threads === undefined ? {} : { threads });
        await session.release();
      }
    } finally {
      InferenceSession.create = create;
    }
    // The probe of the blocked layout opens a session of its own.
    expect(given.filter((threads) => threads !== undefined)).toEqual([usableCores(), 1, usableCores()]);
  });

  it.each([0, -1, 1.5, Number.NaN])("%s is refused", async (threads) => {
    await expect(threadsOf({ threads })).rejects.toThrow(UsageError);
  });
});
