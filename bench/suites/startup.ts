import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { median } from "d3-array";
import { recordMachine } from "../machine.js";
import { saveRow } from "../output/results.js";
import { ROOT, type Settings } from "../settings.js";

/** Time from a command to its first training step. */
export interface StartupRow {
  readonly network: string;
  readonly data: string;
  readonly batch: number;
  /** From the start of the command to the start of its first step. */
  readonly secondsToFirstStep: number;
  /** The whole command with one step, including its checkpoint. */
  readonly secondsWithOneStep: number;
  readonly rounds: number;
}

const COMMAND = join(ROOT, "dist/cli/main.js");
const POLL_MILLISECONDS = 2;

/**
 * Measures the time from `dyconv train` to the first step, with files in the system's cache: `startup.csv`.
 */
export async function runStartup(settings: Settings, data: string): Promise<void> {
  if (!existsSync(COMMAND)) throw new Error("the command is not built: npm run build");
  await recordMachine("startup", settings);
  for (const batch of settings.quick ? [2] : [64, 512]) {
    for (const network of ["alexnet-dy", "alexnet"]) {
      if (!settings.wanted(`${network} batch ${batch}`)) continue;
      await startOnce(network, data, batch, settings); // warms the disk
      const times: Awaited<ReturnType<typeof startOnce>>[] = [];
      for (let n = 0; n < settings.rounds; n++) times.push(await startOnce(network, data, batch, settings));
      const row: StartupRow = {
        ...{ network, data, batch },
        secondsToFirstStep: median(times, ({ first }) => first)!,
        secondsWithOneStep: median(times, ({ whole }) => whole)!,
        rounds: times.length,
      };
      await saveRow(settings.out, "startup", row, ["network", "data", "batch"]);
      console.log(
        `train ${network}, batch ${batch}: first step after ${row.secondsToFirstStep.toFixed(2)} s`,
      );
    }
  }
}

/**
 * Seconds until the run's `metrics.jsonl` exists, which is opened when everything else is ready, and until
 * the end.
 */
async function startOnce(network: string, data: string, batch: number, { threads }: Settings) {
  const folder = await mkdtemp(join(tmpdir(), "dyconv-startup-"));
  const run = join(folder, "run");
  const options = [
    "--data",
    data,
    "--batch-size",
    batch,
    "--threads",
    threads,
    "--max-steps",
    1,
    "--out",
    run,
  ];
  const start = performance.now();
  const command = spawn(process.execPath, [COMMAND, "train", network, ...options.map(String)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  command.stderr.on("data", (text) => {
    said += text;
  });
  const ended = new Promise<number | null>((resolve) => command.once("exit", resolve));
  while (!existsSync(join(run, "metrics.jsonl")) && command.exitCode === null) await sleep(POLL_MILLISECONDS);
  const first = (performance.now() - start) / 1000;
  const code = await ended;
  const whole = (performance.now() - start) / 1000;
  await rm(folder, { recursive: true });
  if (code !== 0) throw new Error(`dyconv train ended with code ${code}: ${said}`);
  return { first, whole };
}
