import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import sharp from "sharp";
import { afterAll, expect, it } from "vitest";
import { exportRun } from "../../src/deploy/export-run.js";
import { writeTransformersFolder } from "../../src/deploy/transformers-folder.js";
import { predict } from "../../src/infer/predict.js";
import { fileSamples } from "../../src/infer/samples.js";
import { smallRun } from "./small-run.js";

const SCRIPT = fileURLToPath(new URL("transformers.mjs", import.meta.url));
const SIDE = 8;

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

const folder = mkdtempSync(join(tmpdir(), "dyconv-transformers-"));
afterAll(() => rmSync(folder, { recursive: true }));

// npm install --no-save @huggingface/transformers
it.skipIf(!isInstalled("@huggingface/transformers"))(
  "@huggingface/transformers classifies as dyconv does (skipped where it is not installed)",
  async () => {
    const run = smallRun();
    const exported = await exportRun(run, { threads: 1, form: "constant" });
    await writeTransformersFolder(join(folder, "model"), run, exported);
    const image = join(folder, "image.png");
    const data = Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => (37 * i) % 256);
    await sharp(data, { raw: { width: SIDE, height: SIDE, channels: 3 } })
      .png()
      .toFile(image);

    const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, join(folder, "model"), image]);
    const found = JSON.parse(stdout) as readonly { readonly label: string; readonly score: number }[];

    const [expected] = await predict(run, await fileSamples(run, [image]), { top: 10, threads: 1 });
    expect(found.map(({ label }) => label)).toEqual(expected!.map(({ label }) => label));
    for (const [n, { probability }] of expected!.entries()) {
      expect(Math.abs(found[n]!.score - probability)).toBeLessThan(1e-4);
    }
  },
  120_000,
);
