import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkpointPath } from "../../src/train/checkpoint.js";
import { RandomStream } from "../../src/util/random.js";

const KILLS = 3;
const FLAGS =
  "--data shapes --epochs 2 --batch-size 8 --limit-train 48 --limit-val 8 --lr 0.01 --checkpoint-every 1 --threads 2";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dyconv-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function start(out: string) {
  const resume = existsSync(join(out, "config.json")) ? ["--resume"] : [];
  const args = [
    "--import",
    "tsx",
    "src/cli/main.ts",
    "train",
    "alexnet-dy",
    "--out",
    out,
    ...FLAGS.split(" "),
    ...resume,
  ];
  return spawn(process.execPath, args, { stdio: "ignore" });
}

it("ends in the same weights after SIGKILLs at random moments as without", async () => {
  const whole = join(folder, "whole");
  expect((await once(start(whole), "exit"))[0]).toBe(0);

  const killed = join(folder, "killed");
  const random = new RandomStream(1, "kills");
  for (let kill = 0; kill < KILLS; kill++) {
    const child = start(killed);
    const exit = once(child, "exit");
    // From start-up into the middle of the run, wherever the machine's speed puts that.
    await Promise.race([exit, sleep(2500 + 2500 * random.uniform())]);
    child.kill("SIGKILL");
    await exit;
  }
  expect((await once(start(killed), "exit"))[0]).toBe(0);

  const [expected, resumed] = await Promise.all(
    [whole, killed].map((run) => readFile(checkpointPath(run, "final"))),
  );
  expect(resumed!.equals(expected!)).toBe(true);
}, 180_000);
