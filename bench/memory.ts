/**
 * Checks whether memory stays flat while AlexNet-DY trains, with checkpoints and validation: prints the
 * resident set every 20 of 200 steps. It rises with the first validations, which keep a session of their own
 * for a while, but not after that. Run with `npx tsx bench/memory.ts`; takes some minutes on two cores.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTrainConfig, train } from "dyconv/node";

const STEPS = 200;
const EVERY = 20;

const folder = await mkdtemp(join(tmpdir(), "dyconv-"));
const config = parseTrainConfig({
  model: "alexnet-dy",
  data: "shapes",
  epochs: STEPS,
  maxSteps: STEPS,
  batchSize: 64,
  limitVal: 512,
});
let steps = 0;
try {
  await train(config, {
    out: folder,
    onStep: () => {
      steps++;
      if (steps % EVERY !== 0) return;
      const megabytes = process.memoryUsage.rss() / 1e6;
      console.log(`step ${String(steps).padStart(3)}: ${megabytes.toFixed(0)} MB`);
    },
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(`peak: ${((process.resourceUsage().maxRSS * 1024) / 1e6).toFixed(0)} MB`);
