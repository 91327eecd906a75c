import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportRun } from "../../src/deploy/export-run.js";
import { writeTransformersFolder } from "../../src/deploy/transformers-folder.js";
import { predict, type RankedClass } from "../../src/infer/predict.js";
import { fileSamples } from "../../src/infer/samples.js";
import { findChromium } from "../browser/chromium.js";
import { serve } from "../browser/site.js";
import { smallRun } from "./small-run.js";

const SCRIPT = fileURLToPath(new URL("transformers.mjs", import.meta.url));
const SIDE = 8;

interface Found {
  readonly label: string;
  readonly score: number;
}

/** The package's entry for Node; undefined where it is not installed. */
function findTransformers(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve("@huggingface/transformers");
  } catch {
    return undefined;
  }
}

const transformers = findTransformers();
const executablePath = findChromium();

// npm install --no-save @huggingface/transformers
describe.skipIf(!transformers)("@huggingface/transformers (skipped where it is not installed)", () => {
  const run = smallRun();
  let folder: string;
  let expected: readonly RankedClass[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "dyconv-transformers-"));
    const exported = await exportRun(run, { threads: 1, form: "constant" });
    await writeTransformersFolder(join(folder, "model"), run, exported);
    const image = join(folder, "image.png");
    const data = Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => (37 * i) % 256);
    await sharp(data, { raw: { width: SIDE, height: SIDE, channels: 3 } })
      .png()
      .toFile(image);
    const [classes] = await predict(run, await fileSamples(run, [image]), { top: 10, threads: 1 });
    expected = classes!;
  });

  afterAll(() => rm(folder, { recursive: true }));

  function expectSame(found: readonly Found[]): void {
    expect(found.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
    for (const [n, { probability }] of expected.entries()) {
      expect(Math.abs(found[n]!.score - probability)).toBeLessThan(1e-4);
    }
  }

  it("classifies in Node as dyconv does", async () => {
    const args = [SCRIPT, join(folder, "model"), join(folder, "image.png")];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expectSame(JSON.parse(stdout));
  }, 120_000);

  it.skipIf(!executablePath)(
    "classifies in Chromium as dyconv does (skipped where there is none)",
    async () => {
      const built = dirname(transformers!);
      const runtime = dirname(createRequire(transformers!).resolve("onnxruntime-web"));
      await cp(join(built, "transformers.min.js"), join(folder, "transformers/transformers.js"));
      await cp(runtime, join(folder, "transformers/runtime"), { recursive: true });
      await writeFile(join(folder, "index.html"), "<!doctype html>");
      const server = await serve(folder);
      const browser = await chromium.launch({ executablePath: executablePath! });
      try {
        const page = await browser.newPage();
        await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/index.html`);
        const found = await page.evaluate<readonly Found[]>(`(async () => {
        const { env, pipeline } = await import("/transformers/transformers.js");
        Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: "/" });
        env.backends.onnx.wasm.wasmPaths = "/transformers/runtime/";
        const classify = await pipeline("image-classification", "model", { dtype: "fp32", device: "wasm" });
        return classify("/image.png", { top_k: 10 });
      })()`);
        expectSame(found);
      } finally {
        await browser.close();
        server.close();
      }
    },
    120_000,
  );
});
