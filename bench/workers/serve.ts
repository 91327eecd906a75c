import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { median } from "d3-array";
import type { Failure, Greeting, Opened, Request, Round, Task, Variant } from "../contest/protocol.js";

const WARM_UP_RUNS = 6;
const WARM_UP_SECONDS = 3;

/** A prepared task. */
export interface OpenTask {
  /** Runs it once, and returns numbers to check. */
  run(): Promise<ArrayLike<number | bigint>>;
  dispose(): Promise<void>;
}

/** Answers requests until standard input ends, as a contender written in TypeScript. */
export async function serve(
  packageName: string,
  open: (task: Task, variant: Variant) => Promise<OpenTask>,
): Promise<void> {
  answer({ versions: { [packageName]: versionOf(packageName) } });
  let task: OpenTask | undefined;
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      const request = JSON.parse(line) as Request;
      if ("open" in request) {
        await task?.dispose();
        task = await open(request.open, request.variant);
        await warmUp(task);
        answer({ opened: true });
      } else {
        answer(await timedRound(task!, request.round));
      }
    } catch (error) {
      answer({ error: String(error) });
    }
  }
}

function versionOf(packageName: string): string {
  const file = new URL("../package.json", import.meta.resolve(packageName));
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

function answer(message: Greeting | Opened | Round | Failure): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** The first runs touch memory for the first time. */
async function warmUp(task: OpenTask): Promise<void> {
  const end = performance.now() + WARM_UP_SECONDS * 1000;
  for (let n = 0; n < WARM_UP_RUNS && performance.now() < end; n++) await task.run();
}

async function timedRound(task: OpenTask, seconds: number): Promise<Round> {
  let result = await task.run();
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  do {
    const start = performance.now();
    result = await task.run();
    times.push((performance.now() - start) / 1000);
  } while (performance.now() < end);
  if (!Array.from(result, Number).every(Number.isFinite)) throw new RangeError("the result is no number");
  return {
    seconds: median(times)!,
    calls: times.length,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  };
}
