import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../files/folder.js";
import { run as dyconv } from "./run.js";

const FLAGS =
  "--data shapes --epochs 2 --batch-size 8 --lr 0.01 --milestones 1,2 --nesterov --momentum 0.9".split(" ");

describe("dyconv compare --print-runs", () => {
  it("prints a whole command for each run, seed by seed, and trains nothing", async () => {
    const out = join(await temporaryFolder(), "seeds of mine");
    const { code, stdout } = await dyconv(
      ...["compare", "alexnet-dy", "alexnet", "--out", out, "--seeds", "2", "--print-runs", "--seed", "7"],
      ...[...FLAGS, "--experts", "3", "--temperature", "10"],
    );
    expect(code).toBe(0);
    const shared = "--momentum 0.9 --nesterov";
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(4);
    expect(lines.map((line) => line.split("' ")[0])).toEqual(
      [7, 8].flatMap((seed) =>
        ["alexnet-dy", "alexnet"].map((model) => `dyconv train ${model} --out '${out}/${model}-seed-${seed}`),
      ),
    );
    for (const [i, line] of lines.entries()) {
      expect(line).toContain("' --resume --data shapes");
      expect(line).toContain(` --seed ${7 + Math.floor(i / 2)}`);
      expect(line).toContain("--epochs 2 --batch-size 8 --lr 0.01 --milestones 1,2");
      expect(line).toContain(shared);
      const dynamic = i % 2 === 0;
      expect(line).toContain("--experts 3");
      expect(line.includes("--temperature 10")).toBe(dynamic);
    }
  });

  it("of a comparison without seeds prints the runs that it would train", async () => {
    const out = await temporaryFolder();
    const { stdout } = await dyconv("compare", "alexnet-dy", "alexnet", "--out", out, "--print-runs");
    expect(stdout.split("\n")[1]).toBe(
      `dyconv train alexnet --out ${join(out, "alexnet")} --resume --seed 42`,
    );
  });
});
