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

it("does not skip images as if they were damaged", async () => {
  const path = join(await images(), "train", "a", "1.png");
  const skipped = vi.fn();
  await expect(readImages([path], { size: 4, onUnreadable: skipped })).rejects.toBeInstanceOf(
    RuntimeUnavailableError,
  );
  expect(skipped).not.toHaveBeenCalled();
});
