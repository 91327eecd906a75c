import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const tsx = createRequire(import.meta.url).resolve("tsx/cli");

async function run(example: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [tsx, `examples/${example}.ts`]);
  return stdout.trim().split("\n");
}

describe("examples run as they stand", () => {
  it("01-custom-layer: the loss falls", async () => {
    const losses = (await run("01-custom-layer")).map((line) =>
      Number(/^step \d+: loss (.+)$/.exec(line)?.[1]),
    );
    expect(losses.length).toBe(6);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)!).toBeLessThan(losses[0]! / 2);
  });

  it("02-attention: every row sums to 1, and a high temperature brings it near uniform", async () => {
    const lines = await run("02-attention");
    expect(lines.filter((line) => line.startsWith("temperature"))).toEqual([
      "temperature 30",
      "temperature 1",
    ]);
    const rows = lines.filter((line) => line.includes("sample"));
    expect(rows.length).toBe(2 * 3 * 3);
    const weights = rows.map((row) => row.split(": ")[1]!.split("  ").map(Number));
    for (const row of weights) expect(row.reduce((total, value) => total + value, 0)).toBeCloseTo(1, 2);
    const spread = (part: number[][]) => Math.max(...part.map((row) => Math.max(...row) - Math.min(...row)));
    expect(spread(weights.slice(0, 9))).toBeLessThan(spread(weights.slice(9)));
    expect(rows[0]).toMatch(/^ {2}features\.8, sample 0: /);
  });

  it("03-own-images: the loss falls, and a prediction ranks the classes of the folder", async () => {
    const lines = await run("03-own-images");
    const [classes] = lines;
    expect(classes).toBe("96 images to train on: circle, cross, star");
    const losses = lines.flatMap(
      (line) => /^epoch \d: training loss ([\d.]+),/.exec(line)?.slice(1).map(Number) ?? [],
    );
    expect(losses.length).toBe(2);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    const ranked = lines.slice(-3).map((line) => line.trim().split(": "));
    expect(ranked.map(([label]) => label).sort()).toEqual(["circle", "cross", "star"]);
    const probabilities = ranked.map(([, probability]) => Number(probability));
    expect(probabilities).toEqual(probabilities.toSorted((a, b) => b - a));
    expect(probabilities.reduce((total, value) => total + value, 0)).toBeCloseTo(1, 2);
  }, 180_000);

  it("04-own-training-loop: the temperature falls, and the classes are learnt", async () => {
    const lines = await run("04-own-training-loop");
    const epochs = lines.map((line) =>
      (/^epoch \d: temperature ([\d.]+), loss ([\d.]+), accuracy ([\d.]+)$/.exec(line) ?? [])
        .slice(1)
        .map(Number),
    );
    expect(epochs.map(([temperature]) => temperature)).toEqual([30, 27, 24, 21, 18, 15]);
    expect(epochs.at(-1)![1]!).toBeLessThan(epochs[0]![1]! / 2);
    expect(epochs.at(-1)![2]!).toBeGreaterThan(0.9);
  });
});
