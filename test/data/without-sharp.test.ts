import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { readImages } from "../../src/data/index.js";
import { RuntimeUnavailableError } from "../../src/errors/index.js";
import { run } from "../cli/run.js";
import { temporaryFolder } from "../files/folder.js";

vi.mock("sharp", () => {
  throw new Error("Could not load the sharp module");
});

/** An image folder; what its files hold does not matter where nothing can decode them. */
async function images(): Promise<string> {
  const folder = await temporaryFolder();
  for (const path of ["train/a", "train/b", "test/a", "test/b"]) {
    await mkdir(join(folder, path), { recursive: true });
    await writeFile(join(folder, path, "1.png"), "\x89PNG\r\n\x1a\n");
  }
  return folder;
}

it("says once what is missing and how to install it, and blames no file", async () => {
  const out = join(await temporaryFolder(), "run");
  const { code, stderr } = await run("train", "alexnet", "--data", await images(), "--out", out);
  expect(code).toBe(1);
  expect(stderr).toBe(
    "error: decoding and rendering images needs sharp, which could not be loaded\n" +
      "hint: install it with its binaries: npm install --include=optional sharp\n",
  );
});

it("says which figures it has drawn", async () => {
  const folder = await temporaryFolder();
  const epoch = {
    kind: "epoch",
    epoch: 1,
    step: 1,
    trainLoss: 1,
    valLoss: 1,
    trainAccuracy: 0,
    valAccuracy: 0,
  };
  const rest = { learningRate: 0.1, annealed: {}, imagesPerSecond: 1, outsideRunShare: 0 };
  await writeFile(join(folder, "metrics.jsonl"), `${JSON.stringify({ ...epoch, ...rest })}\n`);
  const { code, stderr } = await run("plot", folder, "--out", folder);
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: `wrote curves-loss.svg, curves-accuracy.svg in ${folder}\n`,
  });
});

it("does not skip images as if they were damaged", async () => {
  const path = join(await images(), "train", "a", "1.png");
  const skipped = vi.fn();
  await expect(readImages([path], { size: 4, onUnreadable: skipped })).rejects.toBeInstanceOf(
    RuntimeUnavailableError,
  );
  expect(skipped).not.toHaveBeenCalled();
});
