import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run as dyconv } from "./run.js";

const FLAGS =
  "--data shapes --epochs 1 --batch-size 8 --limit-train 16 --limit-val 8 --lr 0.01 --threads 2".split(" ");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dyconv-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("compares two models it trains, then evaluates, plots and uses one of them", async () => {
  const compared = await dyconv("compare", "alexnet-dy", "alexnet", "--out", folder, ...FLAGS);
  expect(compared.code).toBe(0);
  expect(compared.stdout).toContain("8,324,368");
  expect(compared.stdout).toContain("7,526,794");
  expect(await readFile(join(folder, "report.html"), "utf8")).toContain("alexnet-dy against alexnet");

  const run = join(folder, "alexnet-dy");
  const evaluated = await dyconv("eval", run, "--json");
  const { accuracy, loss } = JSON.parse(evaluated.stdout) as { accuracy: number; loss: number };
  expect(accuracy).toBeGreaterThanOrEqual(0);
  expect(loss).toBeGreaterThan(0);

  expect((await dyconv("plot", run, join(folder, "alexnet"), "--out", folder)).code).toBe(0);
  expect(await readFile(join(folder, "curves-accuracy.svg"), "utf8")).toContain("alexnet-dy");

  const image = join(folder, "red.png");
  await sharp({ create: { width: 40, height: 30, channels: 3, background: "red" } })
    .png()
    .toFile(image);
  const grid = join(folder, "grid.png");
  const predicted = await dyconv("predict", run, image, "--grid", grid, "--json");
  const [first] = JSON.parse(predicted.stdout) as { classes: { probability: number }[] }[];
  expect(first?.classes).toHaveLength(5);
  expect((await sharp(grid).metadata()).format).toBe("png");
}, 120_000);

it("says what to do where there is no run", async () => {
  const { code, stderr } = await dyconv("eval", join(folder, "nothing"));
  expect(code).toBe(1);
  expect(stderr).toMatch(/holds no run[\s\S]*hint: give the folder/);
});
