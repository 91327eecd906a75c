import { max, median } from "d3-array";
import { alexnetDy, type Device, trainingWorkload } from "dyconv";
import { chromium, type Page } from "playwright-core";
import { findChromium } from "../../test/browser/chromium.js";
import { openSite } from "../../test/browser/site.js";
import type { PageTask } from "../contest/protocol.js";
import { recordMachine } from "../machine.js";
import { saveRow } from "../output/results.js";
import type { Settings } from "../settings.js";
import type { Offered } from "../workers/page.js";

/** Training AlexNet-DY on WebAssembly in a page, and in node. */
export interface PageRow {
  readonly batch: number;
  readonly size: number;
  readonly threads: number;
  readonly browser: string;
  /** Median of a step in the page. */
  readonly stepMilliseconds: number;
  /** Median over the steps of what ONNX Runtime's convolutions and matrix products take of one. */
  readonly productMilliseconds: number;
  /** The latter divided by the former: the speed relative to that of convolutions and products alone. */
  readonly share: number;
  /** Medians of a step in node. */
  readonly nodeWasmMilliseconds: number;
  readonly nodeCpuMilliseconds: number;
  /** Steps over which losses were compared, and their batch size. */
  readonly comparedSteps: number;
  readonly comparedBatch: number;
  /** Largest difference between a loss in the page and in node. */
  readonly lossDifferenceWasm: number;
  readonly lossDifferenceCpu: number;
}

const PRODUCTS = /^(Fused)?(Conv|MatMul|Gemm)$/;

/** Measures training steps in headless Chromium: `page.csv`. */
export async function runPage(settings: Settings): Promise<void> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("there is no Chromium on the path");
  await recordMachine("page", settings);
  const site = await openSite(["bench/workers/page.ts"]);
  const browser = await chromium.launch({ executablePath });
  try {
    const version = browser.version();
    const open = async () => {
      const page = await browser.newPage();
      page.on("pageerror", (error) => console.error(error));
      await page.goto(site.url);
      await page.waitForFunction('"stepTimes" in globalThis');
      return page;
    };
    const row = await measure(open, version, settings);
    await saveRow(settings.out, "page", row, ["batch", "size", "threads"]);
    console.log(sentence(row));
  } finally {
    await browser.close();
    await site.close();
  }
}

async function measure(open: () => Promise<Page>, browser: string, settings: Settings): Promise<PageRow> {
  const { quick, rounds, threads } = settings;
  const size = 128;
  const timed: PageTask = { batch: quick ? 2 : 64, size, threads, steps: rounds };
  const compared: PageTask = { batch: quick ? 2 : 8, size, threads, steps: quick ? 3 : 100 };
  const inPage = async <Name extends keyof Offered>(name: Name, task: PageTask) => {
    const page = await open();
    const found = await page.evaluate<Awaited<ReturnType<Offered[Name]>>>(`${name}(${JSON.stringify(task)})`);
    await page.close();
    return found;
  };
  const stepMilliseconds = median(await inPage("stepTimes", timed))!;
  const operators = await inPage("operatorTimes", timed);
  const products = operators.filter(({ type }) => PRODUCTS.test(type));
  const productMilliseconds = productsOfStep(
    products.map(({ milliseconds }) => milliseconds),
    timed.steps + 1,
  );
  const node = async (device: Device) => {
    const { milliseconds } = await runInNode(device, { ...timed, steps: timed.steps + 1 });
    return median(milliseconds.slice(1))!;
  };
  const losses = await inPage("losses", compared);
  const difference = async (device: Device) => {
    const other = (await runInNode(device, compared)).losses;
    return max(losses, (loss, n) => Math.abs(loss - other[n]!))!;
  };
  return {
    ...{ batch: timed.batch, size, threads, browser, stepMilliseconds, productMilliseconds },
    share: productMilliseconds / stepMilliseconds,
    nodeWasmMilliseconds: await node("wasm"),
    nodeCpuMilliseconds: await node("cpu"),
    comparedSteps: compared.steps,
    comparedBatch: compared.batch,
    lossDifferenceWasm: await difference("wasm"),
    lossDifferenceCpu: await difference("cpu"),
  };
}

/** Median over the steps, which all ran the same operators in the same order. */
function productsOfStep(times: readonly number[], steps: number): number {
  const each = times.length / steps;
  const sums = Array.from({ length: steps }, (_, n) =>
    times.slice(n * each, (n + 1) * each).reduce((sum, time) => sum + time, 0),
  );
  return median(sums.slice(1))!;
}

async function runInNode(device: Device, { batch, size, threads, steps }: PageTask) {
  const step = await trainingWorkload(alexnetDy(), { batchSize: batch, imageSize: size, threads, device });
  const losses: number[] = [];
  const milliseconds: number[] = [];
  for (let n = 0; n < steps; n++) {
    const start = performance.now();
    losses.push(Number((await step.run())[0]));
    milliseconds.push(performance.now() - start);
  }
  await step.dispose();
  return { losses, milliseconds };
}

function sentence(row: PageRow): string {
  const { batch, stepMilliseconds, share, nodeWasmMilliseconds, nodeCpuMilliseconds } = row;
  const speed = (milliseconds: number) => `${((1000 * batch) / milliseconds).toFixed(1)} images/s`;
  return [
    `train alexnet-dy batch ${batch} in a page: ${speed(stepMilliseconds)}, ${(100 * share).toFixed(0)} % of the speed of its convolutions and products alone`,
    `in node: ${speed(nodeWasmMilliseconds)} on WebAssembly, ${speed(nodeCpuMilliseconds)} on the CPU`,
    `losses of ${row.comparedSteps} steps differ by at most ${row.lossDifferenceWasm.toExponential(1)} from node's on WebAssembly, ${row.lossDifferenceCpu.toExponential(1)} on the CPU`,
  ].join("\n");
}
