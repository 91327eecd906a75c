import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, watch } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkpointPath } from "../../src/runs/checkpoint.js";
import { RandomStream } from "../../src/util/random.js";

/** `KILLS=20 npx vitest run test/train/kill.test.ts` for a longer trial. */
const KILLS = Number(process.env.KILLS ?? 3);
const STEPS_AN_EPOCH = 6;
const BATCH = 8;
const FLAGS = [
  ...["--data", "shapes", "--batch-size", BATCH, "--lr", 0.01, "--checkpoint-every", 1, "--threads", 2],
  // Long enough for every kill to meet the run under way.
  ...["--epochs", KILLS + 1, "--limit-train", STEPS_AN_EPOCH * BATCH, "--limit-val", BATCH],
].map(String);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dyconv-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A module for `--import` that kills the process as it is about to give a file of this name its content. */
function killAtWriteOf(name: string): string {
  const source = `
    import fs from "node:fs/promises";
    import { syncBuiltinESMExports } from "node:module";
    const { rename } = fs;
    fs.rename = async (from, to) => {
      if (to.endsWith(${JSON.stringify(name)})) process.kill(process.pid, "SIGKILL");
      return rename(from, to);
    };
    syncBuiltinESMExports();`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

interface StartOptions {
  readonly model?: string;
  readonly flags?: readonly string[];
  readonly imported?: readonly string[];
}

function start(out: string, options: StartOptions = {}): ChildProcess {
  const { model = "alexnet-dy", flags = FLAGS, imported = [] } = options;
  const resume = existsSync(join(out, "config.json")) ? ["--resume"] : [];
  const imports = [...imported, "tsx"].flatMap((module) => ["--import", module]);
  const command = ["src/cli/main.ts", "train", model, "--out", out];
  return spawn(process.execPath, [...imports, ...command, ...flags, ...resume], { stdio: "ignore" });
}

async function exitOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  const [code, signal] = (await once(child, "exit")) as [number, NodeJS.Signals];
  return signal ?? code;
}

/** Waits until the run has written so many checkpoints more. */
async function checkpointsWritten(run: string, count: number, signal: AbortSignal): Promise<void> {
  let left = count;
  for await (const { filename } of watch(join(run, "checkpoints"), { signal })) {
    if (filename === "last.safetensors" && --left === 0) return;
  }
}

/** A moment while the run starts, or soon after one of its next steps; wherever the machine's speed puts it. */
async function randomMoment(run: string, random: RandomStream, signal: AbortSignal): Promise<void> {
  const steps = random.integer(4);
  if (steps === 0) await sleep(2500 * random.uniform(), undefined, { signal });
  else await checkpointsWritten(run, steps, signal);
  await sleep(100 * random.uniform(), undefined, { signal });
}

/** Starts or resumes the run and kills it at a random moment; tells how it ended. */
async function startAndKill(run: string, random: RandomStream): Promise<number | NodeJS.Signals> {
  const child = start(run);
  const ended = new AbortController();
  const exit = exitOf(child).finally(() => ended.abort());
  await randomMoment(run, random, ended.signal).catch(() => {});
  child.kill("SIGKILL");
  return exit;
}

it("a run that is killed while it writes its last curve has it after --resume, and no half of it", async () => {
  const flags = [...FLAGS, "--epochs", "1", "--limit-train", String(BATCH)];
  const small = { model: "test/cli/models/small-dy.ts", flags };
  const curve = "curves-accuracy.png";
  expect(await exitOf(start(folder, { ...small, imported: [killAtWriteOf(curve)] }))).toBe("SIGKILL");
  expect(existsSync(checkpointPath(folder, "final"))).toBe(true);
  const left = await readdir(folder);
  expect(left).not.toContain(curve);
  expect(left.filter((name) => name.endsWith(".tmp"))).toHaveLength(1);

  expect(await exitOf(start(folder, small))).toBe(0);
  expect((await readFile(join(folder, curve))).subarray(1, 4).toString()).toBe("PNG");
  expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
}, 60_000);

it(
  `ends in the same weights after ${KILLS} SIGKILLs at random moments as without`,
  async () => {
    const whole = join(folder, "whole");
    expect(await exitOf(start(whole))).toBe(0);

    const killed = join(folder, "killed");
    await mkdir(join(killed, "checkpoints"), { recursive: true });
    const random = new RandomStream(1, "kills");
    for (let kill = 0; kill < KILLS; kill++) expect(await startAndKill(killed, random)).toBe("SIGKILL");
    expect(await exitOf(start(killed))).toBe(0);

    const [expected, resumed] = await Promise.all(
      [whole, killed].map((run) => readFile(checkpointPath(run, "final"))),
    );
    expect(resumed!.equals(expected!)).toBe(true);
  },
  60_000 + 40_000 * KILLS,
);
