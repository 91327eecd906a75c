import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { AddressInfo, Server } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { train as trainInPage } from "dyconv/web-training";
import { unpackTar } from "modern-tar";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "tsdown";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/files/index.js";
import { checkpointPath } from "../../src/runs/checkpoint.js";
import { parseTrainConfig, type TrainConfigInput } from "../../src/runs/config.js";
import type { RunDescription } from "../../src/runs/description.js";
import { readMetrics } from "../../src/runs/metrics.js";
import { train } from "../../src/train/trainer.js";
import packageConfig from "../../tsdown.config.js";
import { findChromium } from "./chromium.js";
import { serve } from "./site.js";

const executablePath = findChromium();
const QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
const CONFIG = {
  model: "mobilenet-v3-small-cifar",
  ...{ epochs: 2, batchSize: 8, learningRate: 0.01, momentum: 0.9 },
} satisfies TrainConfigInput;

/** Images of noise. The page runs the text of it. */
function noise() {
  const half = (length: number, salt: number) => {
    const images = Uint8Array.from(
      { length: 3072 * length },
      (_, i) => Math.imul(i + salt, 2_654_435_761) >>> 24,
    );
    const labels = Int32Array.from({ length }, (_, i) => i % 2);
    return { name: "noise", classes: ["even", "odd"], length, height: 32, width: 32, images, labels };
  };
  return { name: "noise", train: half(40, 1), test: half(8, 2), fingerprint: "noise" };
}

interface Trained {
  readonly losses: readonly number[];
  /** Losses on the validation images. */
  readonly epochs: readonly number[];
}

/** A run that went on in the page. */
interface Resumed {
  readonly losses: readonly number[];
  readonly warnings: readonly string[];
  readonly finished: boolean;
  readonly paths: readonly string[];
  readonly metrics: string;
  readonly description: RunDescription;
}

/** What the page offers. */
interface Offered {
  readonly training: { readonly train: typeof trainInPage };
}

/** Each value within a tolerance. */
function expectClose(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  what = "",
  tolerance = 1e-3,
): void {
  expect(found.length, what).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (!(Math.abs(found[i]! - expected[i]!) < tolerance)) expect(found[i], `${what} ${i}`).toBe(expected[i]);
  }
}

describe.skipIf(executablePath === undefined)("training in Chromium (skipped where there is none)", () => {
  let folder: string;
  let server: Server;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "dyconv-training-"));
    for (const config of packageConfig.slice(2)) {
      await build({
        ...config,
        config: false,
        dts: false,
        sourcemap: false,
        logLevel: "silent",
        outDir: folder,
      });
    }
    const script = `import * as training from "./web-training.js"; Object.assign(globalThis, { training });`;
    await writeFile(
      join(folder, "index.html"),
      `<!doctype html><input type="file" /><script type="module">${script}</script>`,
    );
    server = await serve(folder);
    browser = await chromium.launch({ executablePath: executablePath!, args: QUIET });
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/index.html`);
    await page.waitForFunction("globalThis.training");
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
    await rm(folder, { recursive: true });
  });

  /** Trains for an epoch of five steps, is stopped in the next, and downloads the run as an archive. */
  async function trainAndStop(archive: string): Promise<Trained> {
    const download = page.waitForEvent("download", { timeout: 110_000 });
    const trained = page.evaluate(`(async () => {
      const losses = [], epochs = [], stop = new AbortController();
      let start;
      const { files, finished } = await training.train(${JSON.stringify(CONFIG)}, {
        data: (${noise})(),
        wasmPaths: "./",
        signal: stop.signal,
        onStart: (given) => { start = given; },
        onStep: ({ loss }) => losses.push(loss) === 6 && stop.abort(),
        onEpoch: ({ valLoss }) => epochs.push(valLoss),
      });
      const href = URL.createObjectURL(await training.packRun(files));
      Object.assign(document.createElement("a"), { href, download: "run.tar" }).click();
      return { losses, epochs, finished, start };
    })()`);
    await (await download).saveAs(archive);
    return trained as Promise<Trained>;
  }

  /** Goes on with a packed run in the page, until nine steps are done. */
  async function goOnInPage(archive: string): Promise<Resumed> {
    await page.setInputFiles("input", archive);
    const config = { ...CONFIG, maxSteps: 9, device: "wasm" };
    return page.evaluate(`(async () => {
      const losses = [], warnings = [];
      const { files, finished } = await training.train(${JSON.stringify(config)}, {
        data: (${noise})(),
        resume: await training.unpackRun(document.querySelector("input").files[0]),
        wasmPaths: "./",
        onStep: ({ loss }) => losses.push(loss),
        onWarning: (message) => warnings.push(message),
      });
      const text = (path) => files[path].text();
      return { losses, warnings, finished, paths: Object.keys(files), metrics: await text("metrics.jsonl"), description: JSON.parse(await text("config.json")) };
    })()`);
  }

  async function unpack(archive: string, run: string): Promise<void> {
    for (const { header, data } of await unpackTar(await readFile(archive))) {
      const path = join(run, header.name.replace("run/", ""));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, data!);
    }
  }

  it("neither page nor worker imports anything", async () => {
    for (const file of ["web-training.js", "web-training-worker.js"]) {
      expect(await readFile(join(folder, file), "utf8")).not.toMatch(/(from|import) ?"/);
    }
  });

  it("a run that is stopped in a page goes on in node, or there, as if it had begun in node", async () => {
    const [run, whole, packed] = ["run", "whole", "run.tar"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const config = parseTrainConfig({ ...CONFIG, data: "noise", maxSteps: 9 });
    const data = noise();
    const losses: number[] = [];
    const onStep = ({ loss }: { readonly loss: number }) => losses.push(loss);
    const reference = await train(config, { out: whole, data, onStep });

    const trained = await trainAndStop(packed);
    expect(trained).toMatchObject({
      finished: false,
      start: { device: "wasm", threads: availableParallelism(), task: "classification" },
    });
    const inPage = await goOnInPage(packed);
    expect(inPage).toMatchObject({ finished: false, warnings: [] });
    expect(inPage.description.history).toHaveLength(1);
    expect(inPage.paths.toSorted()).toEqual([
      "checkpoints/best.safetensors",
      "checkpoints/last.safetensors",
      "config.json",
      "metrics.jsonl",
    ]);
    expectClose([...trained.losses, ...inPage.losses], losses);

    await unpack(packed, run);
    const warnings: string[] = [];
    const resumed: number[] = [];
    await train(config, {
      ...{ out: run, data, resume: true },
      onStep: ({ loss }) => resumed.push(loss),
      onWarning: (message) => warnings.push(message),
    });
    expect(warnings).toEqual([
      expect.stringContaining("versions changed since the run began"),
      `from step ${trained.losses.length} on: device wasm → cpu`,
    ]);
    expectClose([...trained.losses, ...resumed], losses);
    expectClose(trained.epochs, [reference.epochs[0]!.valLoss]);
    const [mine, theirs] = await Promise.all([run, whole].map(readMetrics));
    expect(mine!.map(({ kind, step }) => [kind, step])).toEqual(
      theirs!.map(({ kind, step }) => [kind, step]),
    );
    expect(inPage.metrics.trim().split("\n")).toHaveLength(theirs!.length);
    const [found, expected] = await Promise.all(
      [run, whole].map((out) => readSafetensors(checkpointPath(out, "last"))),
    );
    for (const [name, { data }] of Object.entries(expected!.tensors)) {
      // Batch normalisation over few images makes more of the rounding in gradients than in weights.
      const tolerance = name.startsWith("momentum/") ? 1e-2 : 1e-3;
      expectClose(found!.tensors[name]!.data as Float32Array, data as Float32Array, name, tolerance);
    }
  }, 120_000);

  it("what cannot be is refused with its class and hint", async () => {
    const refused = (config: object, data: unknown) =>
      page.evaluate(
        async ([given, images]) => {
          const { train } = (globalThis as unknown as Offered).training;
          return train(given as never, { data: images as never }).then(
            () => ({}),
            (error: Error) => ({ ...error, name: error.name, message: error.message }),
          );
        },
        [config, data] as const,
      );
    expect(await refused({ model: "alexnett" }, "shapes")).toMatchObject({
      name: "UsageError",
      message: expect.stringContaining('there is no model "alexnett"'),
      hint: expect.stringContaining("alexnet-dy"),
    });
    expect(await refused(CONFIG, "pictures")).toMatchObject({
      message: 'there are no data "pictures" in a page',
    });
    const files = `({ "config.json": new Blob(["{}"]) })`;
    expect(
      await page.evaluate(
        `training.train(${JSON.stringify(CONFIG)}, { data: "shapes", resume: ${files} }).catch(({ name, message }) => ({ name, message }))`,
      ),
    ).toMatchObject({
      name: "CheckpointError",
      message: expect.stringContaining("config.json cannot be read"),
    });
    expect(
      await page.evaluate(
        `training.unpackRun(new Blob(["no run"])).catch(({ name, message }) => ({ name, message }))`,
      ),
    ).toMatchObject({ name: "CheckpointError" });
    expect(await refused({ ...CONFIG, device: "cuda" }, "shapes")).toMatchObject({
      name: "RuntimeUnavailableError",
    });
  });
});
