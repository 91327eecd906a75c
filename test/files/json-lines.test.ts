import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JsonLinesWriter, readJsonLines } from "../../src/files/index.js";
import { temporaryFolder } from "./folder.js";

const RECORDS = [
  { step: 10, loss: 2.3 },
  { step: 20, loss: 2.1 },
  { step: 30, loss: 1.9 },
];
const TEXT = RECORDS.map((record) => `${JSON.stringify(record)}\n`).join("");

async function fileWith(content: string): Promise<string> {
  const path = join(await temporaryFolder(), "metrics.jsonl");
  await writeFile(path, content);
  return path;
}

const stepOf = (record: unknown) => (record as { step: number }).step;

describe("readJsonLines", () => {
  test("reads what was appended", async () => {
    const path = join(await temporaryFolder(), "metrics.jsonl");
    const writer = await JsonLinesWriter.open(path);
    for (const record of RECORDS) writer.append(record);
    expect(await readJsonLines(path)).toEqual(RECORDS);
    writer.close();
  });

  test("gives nothing for a missing file", async () => {
    expect(await readJsonLines(join(await temporaryFolder(), "none.jsonl"))).toEqual([]);
  });

  test("passes over a torn last line, wherever the process was killed", async () => {
    const path = await fileWith("");
    await fc.assert(
      fc.asyncProperty(fc.nat(TEXT.length), async (length) => {
        await writeFile(path, TEXT.slice(0, length));
        const records = await readJsonLines(path);
        expect(records).toEqual(RECORDS.slice(0, records.length));
        expect(records.length).toBeGreaterThanOrEqual(TEXT.slice(0, length).split("\n").length - 1);
      }),
      { numRuns: 60 },
    );
  });

  test("names the line that is damaged", async () => {
    const path = await fileWith(`{"step":10}\n{"st\n{"step":30}\n`);
    await expect(readJsonLines(path)).rejects.toThrow(`${path}, line 2: not JSON`);
  });
});

describe("JsonLinesWriter.open", () => {
  test("keeps what it is told to keep, and goes on after it", async () => {
    const path = await fileWith(TEXT);
    const writer = await JsonLinesWriter.open(path, { keep: (record) => stepOf(record) <= 20 });
    writer.append({ step: 21 });
    writer.close();
    expect((await readJsonLines(path)).map(stepOf)).toEqual([10, 20, 21]);
  });

  test.each([
    ["removes a torn line", TEXT.slice(0, -5), [10, 20, 40]],
    ["completes a last line that only lacks its end", TEXT.slice(0, -1), [10, 20, 30, 40]],
  ])("%s", async (_, content, steps) => {
    const path = await fileWith(content);
    const writer = await JsonLinesWriter.open(path);
    writer.append({ step: 40 });
    writer.close();
    expect((await readJsonLines(path)).map(stepOf)).toEqual(steps);
  });

  test("leaves an intact file alone", async () => {
    const path = await fileWith(TEXT);
    (await JsonLinesWriter.open(path)).close();
    expect(await readFile(path, "utf8")).toBe(TEXT);
  });

  test("says that the folder is missing", async () => {
    const path = join(await temporaryFolder(), "missing", "metrics.jsonl");
    await expect(JsonLinesWriter.open(path)).rejects.toMatchObject({
      hint: expect.stringContaining("folder must exist"),
    });
  });
});
