import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRows, saveRow } from "../../bench/output/results.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dyconv-"));
});
afterEach(() => rm(folder, { recursive: true }));

const save = (row: object) => saveRow(folder, "steps", row, ["network", "allocator"] as never[]);

test("a row takes the place of the one with the same keys, and leaves the others", async () => {
  await save({ network: "alexnet", allocator: "", seconds: 1 });
  await save({ network: "alexnet-dy", allocator: "tcmalloc", seconds: 2 });
  await save({ network: "alexnet", allocator: "", seconds: 3 });
  expect(await readRows(folder, "steps")).toEqual([
    { network: "alexnet", allocator: null, seconds: 3 },
    { network: "alexnet-dy", allocator: "tcmalloc", seconds: 2 },
  ]);
});

test("numbers are written with five digits", async () => {
  await save({ network: "alexnet", allocator: "system", seconds: 0.0123456789 });
  expect(await readRows(folder, "steps")).toMatchObject([{ seconds: 0.012346 }]);
});

test("there are no rows where there is no file", async () => {
  expect(await readRows(folder, "layers")).toEqual([]);
});
