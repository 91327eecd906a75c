import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { run } from "./run.js";

const folder = mkdtempSync(join(tmpdir(), "dyconv-export-"));
const out = join(folder, "model.onnx");
afterAll(() => rmSync(folder, { recursive: true }));

describe("dyconv export", () => {
  it.each([
    [["--form", "quick"], "argument 'quick' is invalid"],
    [["--float16", "--int8"], "--float16 and --int8 exclude each other"],
    [["--transformers", "--pixels"], "transformers.js preprocesses images itself"],
    [["--limit", "5", "--no-measure"], "--limit has no effect with --no-measure"],
  ])("refuses %j as wrong usage and writes nothing", async (flags, message) => {
    const { code, stderr } = await run("export", folder, "--out", out, ...flags);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(existsSync(out)).toBe(false);
  });

  it("refuses a folder that holds no run", async () => {
    const { code, stderr } = await run("export", folder, "--out", out);
    expect(stderr).toContain(`error: ${folder} holds no run`);
    expect(code).toBe(1);
    expect(existsSync(out)).toBe(false);
  });
});
