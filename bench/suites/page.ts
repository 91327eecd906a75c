import { max, median, sum } from "d3-array";
import type { Device } from "dyconv";
import { chromium, type Page } from "playwright-core";
import { findChromium } from "../../test/browser/chromium.js";
import { openSite } from "../../test/browser/site.js";
import type { OperatorTime, PageTask } from "../contest/protocol.js";
import { recordMachine } from "../machine.js";
import { saveRow } from "../output/results.js";
import type { Settings } from "../settings.js";
import type { Offered } from "../workers/page.js";
import { trainSteps } from "../workers/train-steps.js";

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
  const browser = await chromium.launch({ executablePath });
  const site = await openSite(["bench/workers/page.ts", "bench/workers/train-steps.ts"]);
  try {
    const version = browser.version();
    const open = async () => {
      const page = await browser.newPage();
      page.on("pageerror", (error) => console.error(error));
      await page.goto(site.url);
      await page.waitForFunction('"trainSteps" in globalThis');
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
  const timed: PageTask = { batch: quick ? 2 : 64, size, threads, steps: rounds + 1 };
  const compared: PageTask = { batch: quick ? 2 : 8, size, threads, steps: quick ? 3 : 100 };
  const inPage = async <Name extends keyof Offered>(name: Name, task: PageTask) => {
    const page = await open();
    const found = await page.evaluate<Awaited<ReturnType<Offered[Name]>>>(`${name}(${JSON.stringify(task)})`);
    await page.close();
    return found;
  };
  // The first step is a warm-up.
  const stepOf = (times: readonly number[]) => median(times.slice(1))!;
  const stepMilliseconds = stepOf((await inPage("trainSteps", timed)).milliseconds);
  const operators = await inPage("operatorTimes", timed);
  const products = operators.filter(({ type }) => PRODUCTS.test(type));
  const productMilliseconds = stepOf(sumByStep(products, timed.steps));
  const node = async (device: Device) => stepOf((await trainSteps(timed, { device })).milliseconds);
  const { losses } = await inPage("trainSteps", compared);
  const difference = async (device: Device) => {
    const other = await trainSteps(compared, { device });
    return max(losses, (loss, n) => Math.abs(loss - other.losses[n]!))!;
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

/** Milliseconds of each step. All steps ran the same operators in the same order. */
function sumByStep(times: readonly OperatorTime[], steps: number): readonly number[] {
  const each = times.length / steps;
  return Array.from({ length: steps }, (_, n) =>
    sum(times.slice(n * each, (n + 1) * each), ({ milliseconds }) => milliseconds),
  );
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
