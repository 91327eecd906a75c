import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FolderLock, sweepTemporaries } from "../../src/files/index.js";
import { processStart } from "../../src/files/process-start.js";
import { temporaryFolder } from "./folder.js";

const holder = (values: object) =>
  JSON.stringify({
    ...{ pid: process.pid, host: hostname(), processStart: processStart(process.pid) },
    since: "2026-01-01T00:00:00.000Z",
    ...values,
  });

async function lockedBy(content: string): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, ".lock"), content);
  return folder;
}

describe("FolderLock", () => {
  it("is held by one, until it is given back", async () => {
    const folder = await temporaryFolder();
    const lock = FolderLock.acquire(folder);
    const named = `${folder} is in use by process ${process.pid} on ${hostname()}, since 2`;
    expect(() => FolderLock.acquire(folder)).toThrow(named);
    lock.release();
    FolderLock.acquire(folder).release();
    expect(await readdir(folder)).toEqual([]);
  });

  it("is taken from a process that is gone", async () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    const folder = await lockedBy(holder({ pid }));
    FolderLock.acquire(folder);
    expect(JSON.parse(await readFile(join(folder, ".lock"), "utf8"))).toMatchObject({ pid: process.pid });
    expect(await readdir(folder)).toEqual([".lock"]);
  });

  it("is taken from a process whose id another has now", async () => {
    const folder = await lockedBy(holder({ processStart: "long ago" }));
    FolderLock.acquire(folder).release();
    expect(existsSync(join(folder, ".lock"))).toBe(false);
  });

  it("is not taken from another machine", async () => {
    const folder = await lockedBy(holder({ host: "elsewhere", pid: 2 ** 22 + 1 }));
    expect(() => FolderLock.acquire(folder)).toThrow(/on elsewhere, since 2026-01-01/);
  });

  it("is taken where its writer was killed in the instant of writing it", async () => {
    const folder = await lockedBy("");
    expect(() => FolderLock.acquire(folder)).toThrow(/being locked by another process/);
    await utimes(join(folder, ".lock"), 1, 1);
    FolderLock.acquire(folder).release();
  });

  it("says that a folder cannot be written", () => {
    expect(() => FolderLock.acquire("/nowhere")).toThrow("cannot write /nowhere/.lock: ENOENT");
  });
});

it("temporary files are swept, and nothing else", async () => {
  const folder = await temporaryFolder();
  const names = [".last.safetensors.0123abcd.tmp", ".config.json.ffffffff.tmp", "a.tmp", ".b.tmp", "c"];
  for (const name of names) await writeFile(join(folder, name), "");
  await sweepTemporaries(folder);
  expect((await readdir(folder)).toSorted()).toEqual([".b.tmp", "a.tmp", "c"]);
  await sweepTemporaries(join(folder, "missing"));
});
