/** Run by webgpu.test.ts in a process of its own, which prints what WebGPU gives there. */
import { existsSync } from "node:fs";
import { add, compile, compileStep, mul, spec, sum } from "dyconv";
import { checkParity, type ParityResult } from "dyconv/node";
import { type TrainedNetwork, trainSmallNetwork } from "./small-network.js";

const INDEX = "../shared/golden/index.json";
const LAYERS = 5;
const device = "webgpu";

/** What WebGPU gave. */
export interface WebGpuReport {
  readonly training: TrainedNetwork;
  /** Totals that a step counted, read after it ran, after it was set, and after it ran on. */
  readonly totals: readonly (readonly number[])[];
  /** Results written into given arrays. */
  readonly into: readonly number[];
  /** The first reference vectors; undefined where there are none. */
  readonly parity: readonly ParityResult[] | undefined;
}

async function countOnDevice(): Promise<WebGpuReport["totals"]> {
  const step = await compileStep(
    ({ total, other }, { x }) => ({ state: { total: add(total, x), other }, results: { sum: sum(total) } }),
    { state: { total: spec([2]), other: spec([2]) }, inputs: { x: spec([2]) } },
    { total: Float32Array.of(10, 20), other: Float32Array.of(3, 4) },
    { device },
  );
  const x = Float32Array.of(1, 2);
  const read = async () => Object.values(await step.state()).flatMap((values) => Array.from(values, Number));
  const totals: (readonly number[])[] = [];
  for (let n = 0; n < 3; n++) await step.run({ x });
  totals.push(await read());
  step.setState({ total: Float32Array.of(0, 1) });
  totals.push(await read());
  await step.run({ x });
  totals.push(await read());
  await step.dispose();
  return totals;
}

async function fillArrays(): Promise<readonly number[]> {
  const fn = await compile((x) => mul(x, 2), [spec([3])], { device });
  const given = new Float32Array(3);
  await fn.into(given, Float32Array.of(1, 2, 3));
  await fn.dispose();
  return [...given];
}

/** A layer plain, with stride, dilation and groups, and depthwise; all cases would take minutes without a GPU. */
async function checkLayers(): Promise<WebGpuReport["parity"]> {
  if (!existsSync(INDEX)) return undefined;
  const results: ParityResult[] = [];
  for await (const result of checkParity(INDEX, { device })) {
    results.push(result);
    if (results.length === LAYERS) break;
  }
  return results;
}

const report: WebGpuReport = {
  training: await trainSmallNetwork({ device }),
  totals: await countOnDevice(),
  into: await fillArrays(),
  parity: await checkLayers(),
};
console.log(JSON.stringify(report));
