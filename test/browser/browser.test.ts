import type { RuntimeOptions } from "dyconv";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectSameTraining } from "../runtime/same-training.js";
import { type TrainedNetwork, trainSmallNetwork } from "../runtime/small-network.js";
import { findChromium } from "./chromium.js";
import type { Offered } from "./page.js";
import { openSite, type Site } from "./site.js";

const executablePath = findChromium();
/** WebGPU on the processor, where there is no GPU. */
const SOFTWARE_GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];

describe.skipIf(executablePath === undefined)("in Chromium (skipped where there is none)", () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  let reference: TrainedNetwork;

  beforeAll(async () => {
    reference = await trainSmallNetwork({ device: "cpu" });
    site = await openSite(["test/browser/page.ts", "test/runtime/small-network.ts"]);
    browser = await chromium.launch({ executablePath: executablePath!, args: [...SOFTWARE_GPU, ...QUIET] });
    page = await openPage();
  }, 600_000);

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function openPage(by = browser): Promise<Page> {
    const opened = await by.newPage();
    await opened.goto(site.url);
    await opened.waitForFunction(() => "trainSmallNetwork" in globalThis);
    return opened;
  }

  const train = (options: RuntimeOptions, where = page): Promise<TrainedNetwork> =>
    where.evaluate((given) => (globalThis as unknown as Offered).trainSmallNetwork(given), options);

  it("the bundle asks for nothing of node", () => {
    expect(site.code).not.toMatch(/onnxruntime-node"|from ?"node:/);
  });

  it("WebAssembly trains as node's CPU does", async () => {
    expectSameTraining(await train({ device: "wasm" }), reference);
  }, 600_000);

  it('the device "cpu" is WebAssembly', async () => {
    expectSameTraining(await train({}), reference);
  }, 600_000);

  it("threads find their code by `wasmPaths`", async () => {
    const file = (extension: string) => new URL(`ort-wasm-simd-threaded.${extension}`, site.url).href;
    const wasmPaths = { mjs: file("mjs"), wasm: file("wasm") };
    // Only the first session of a page can set the number of threads.
    const fresh = await openPage();
    expectSameTraining(await train({ device: "wasm", threads: 2, wasmPaths }, fresh), reference);
    await fresh.close();
  }, 600_000);

  it("WebGPU trains as node's CPU does", async (test) => {
    test.skip(
      !(await page.evaluate("navigator.gpu?.requestAdapter()")),
      "Chromium has no WebGPU adapter here, not even its own software one",
    );
    expectSameTraining(await train({ device: "webgpu" }), reference);
  }, 600_000);

  it("WebGPU without an adapter is refused with a way out, before anything runs", async () => {
    const plain = await chromium.launch({
      executablePath: executablePath!,
      args: ["--disable-gpu", ...QUIET],
    });
    try {
      const bare = await openPage(plain);
      expect(await bare.evaluate("navigator.gpu?.requestAdapter() ?? null")).toBe(null);
      const refused = /this page has (no WebGPU|WebGPU, but no adapter)/;
      await expect(train({ device: "webgpu" }, bare)).rejects.toThrow(refused);
    } finally {
      await plain.close();
    }
  }, 600_000);

  it("CUDA is refused with a way out", async () => {
    await expect(train({ device: "cuda" })).rejects.toThrow('device "cuda" needs node');
  });
});
