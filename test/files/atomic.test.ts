import { execFileSync } from "node:child_process";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CheckpointError, DyconvError } from "../../src/errors/index.js";
import { fileError } from "../../src/files/file-error.js";
import { ensureFolder, writeFileAtomically } from "../../src/files/index.js";
import { temporaryFolder } from "./folder.js";

async function* interrupted(error: Error): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(1, 2, 3);
  throw error;
}

describe("writeFileAtomically", () => {
  test.skipIf(process.platform === "win32")("does not put a file in the place of a pipe", async () => {
    const path = join(await temporaryFolder(), "pipe");
    execFileSync("mkfifo", [path]);
    await expect(writeFileAtomically(path, "text")).rejects.toThrow("is a device or a pipe");
    expect((await stat(path)).isFIFO()).toBe(true);
  });

  test.each([
    ["text", "déjà"],
    ["bytes", new TextEncoder().encode("déjà")],
    ["chunks", ["dé", "jà"].map((part) => new TextEncoder().encode(part))],
  ])("writes %s and leaves nothing else", async (_, content) => {
    const folder = await temporaryFolder();
    await writeFileAtomically(join(folder, "a.txt"), content);
    expect(await readFile(join(folder, "a.txt"), "utf8")).toBe("déjà");
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });

  test("keeps the old content when the new one fails half-way", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "a.txt");
    await writeFile(path, "old");
    const full = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    await expect(writeFileAtomically(path, interrupted(full))).rejects.toMatchObject({
      message: `cannot write ${path}: ENOSPC`,
      hint: expect.stringContaining("disk is full"),
      cause: full,
    });
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });

  test("passes errors of dyconv unchanged", async () => {
    const error = new CheckpointError("cannot encode");
    const path = join(await temporaryFolder(), "a");
    await expect(writeFileAtomically(path, interrupted(error))).rejects.toBe(error);
  });

  test("says that the folder is missing", async () => {
    const path = join(await temporaryFolder(), "missing", "a");
    const error = await writeFileAtomically(path, "").catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DyconvError);
    expect(error).toMatchObject({ hint: expect.stringContaining("folder must exist") });
  });
});

test("ensureFolder makes parents, and refuses a file in the way", async () => {
  const folder = await temporaryFolder();
  await ensureFolder(join(folder, "a", "b"));
  await ensureFolder(join(folder, "a", "b"));
  await writeFile(join(folder, "file"), "");
  await expect(ensureFolder(join(folder, "file"))).rejects.toMatchObject({
    hint: expect.stringContaining("in the way"),
  });
});

test.each(["EACCES", "EROFS", "EDQUOT"])("%s carries a hint", (code) => {
  expect(fileError("write", "a", Object.assign(new Error(), { code })).hint).toBeDefined();
});
