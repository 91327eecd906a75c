import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Classified } from "dyconv/web";
import { type Browser, chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { build } from "tsdown";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportRun } from "../../src/deploy/export-run.js";
import { writeTransformersFolder } from "../../src/deploy/transformers-folder.js";
import { infer } from "../../src/infer/infer.js";
import { fileSamples } from "../../src/infer/samples.js";
import packageConfig from "../../tsdown.config.js";
import { smallNetwork, smallRun } from "../deploy/small-run.js";
import { findChromium } from "./chromium.js";
import { serve } from "./site.js";

const executablePath = findChromium();
const GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
const HOSTILE = '<img src=x onerror="document.title=1">';
const run = smallRun(
  smallNetwork(),
  [..."abcdefghij"].map((letter) => HOSTILE + letter),
);

/** The page of examples/web, with a model folder beside it. */
describe.skipIf(executablePath === undefined)("dyconv/web in Chromium (skipped where there is none)", () => {
  let folder: string;
  let server: Server;
  let browser: Browser;
  let page: Page;
  const image = (name: string) => join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "dyconv-page-"));
    await cp("examples/web", folder, { recursive: true });
    const modules = join(folder, "node_modules");
    await mkdir(modules);
    await symlink(resolve("node_modules/onnxruntime-web"), join(modules, "onnxruntime-web"));
    await build({
      ...packageConfig[1],
      ...{ config: false, dts: false, sourcemap: false, logLevel: "silent" },
      outDir: join(modules, "dyconv/dist"),
    });
    const exported = await exportRun(run, { form: "constant", attention: true, threads: 1 });
    await writeTransformersFolder(join(folder, "model"), run, exported);
    const noise = { type: "gaussian", mean: 128, sigma: 60 } as const;
    const picture = sharp({ create: { width: 53, height: 37, channels: 3, background: "white", noise } });
    await picture.clone().png().toFile(image("a.png"));
    await picture
      .withExif({ IFD0: { Orientation: "6" } })
      .jpeg({ quality: 95 })
      .toFile(image("b.jpg"));
    const large = { width: 9000, height: 9000, channels: 3, background: "red" } as const;
    await sharp({ create: large, limitInputPixels: false }).png().toFile(image("large.png"));
    await writeFile(image("damaged.png"), (await readFile(image("a.png"))).subarray(0, 40));
    server = await serve(folder);
    browser = await chromium.launch({ executablePath: executablePath!, args: [...GPU, ...QUIET] });
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/index.html`);
    await page.waitForFunction("document.querySelector('[role=status]').textContent.startsWith('Runs')");
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
    await rm(folder, { recursive: true });
  });

  /** Classifies a file of the server on a device. */
  function classify(name: string, device: string): Promise<Classified & { readonly device: string }> {
    return page.evaluate(`(async () => {
      const { loadModel } = await import("dyconv/web");
      const wasmPaths = new URL("node_modules/onnxruntime-web/dist/", location.href);
      globalThis.models ??= {};
      const model = models.${device} ??= await loadModel("model/", { device: "${device}", wasmPaths });
      const file = await (await fetch("${name}")).blob();
      const { logits, attention, classes } = await model.classify(file, { top: 2 });
      const plain = (key, value) => value instanceof Float32Array ? Array.from(value) : value;
      return JSON.parse(JSON.stringify({ logits, attention, classes, device: model.device }, plain));
    })()`);
  }

  it.each(["a.png", "b.jpg"])("classifies %s as the command line does", async (name) => {
    const samples = await fileSamples(run, [image(name)]);
    const { logits, attention } = await infer(
      run,
      samples,
      ({ output, attention }) => ({ logits: output, attention: attention["0"]!.kernel!.values }),
      { threads: 1 },
    );
    const adapter = await page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)");
    for (const device of ["wasm", ...(adapter ? ["webgpu"] : [])]) {
      const found = await classify(name, device);
      expect(found.device).toBe(device);
      expect(found.classes.length).toBe(2);
      for (const [i, value] of logits[0]!.entries()) expect(found.logits[i]).toBeCloseTo(value, 4);
      const { values, shape, axis } = found.attention["0"]!.kernel!;
      expect([shape, axis]).toEqual([[3], 0]);
      for (const [i, value] of attention[0]!.entries()) expect(values[i]).toBeCloseTo(value, 4);
    }
  });

  it("refuses an image that is damaged, or too large, before it is decoded", async () => {
    await expect(classify("damaged.png", "wasm")).rejects.toThrow("the browser cannot decode it as an image");
    await expect(classify("large.png", "wasm")).rejects.toThrow("9000×9000 pixels, more than the 67108864");
  });

  it("the page of the example shows classes and attention, names as they are", async () => {
    await page.setInputFiles("input", image("a.png"));
    await page.waitForFunction("document.querySelectorAll('#attention p').length > 0");
    expect(await page.textContent("[role=status]")).toMatch(/^Runs on WebAssembly, threads: \d+\.$/);
    expect(await page.textContent("#classes")).toContain(HOSTILE);
    expect(await page.title()).toBe("Classify an image");
    await page.setInputFiles("input", image("damaged.png"));
    await page.waitForFunction("document.body.textContent.includes('cannot decode')");
  });
});
