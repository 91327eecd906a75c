/** The benchmark command, `npm run bench`. docs/performance.md describes what it measures, and how. */
import { Command, InvalidArgumentError } from "commander";
import { fitPlans } from "./fit-plans.js";
import { recordMachine } from "./machine.js";
import { updateNetworkTable } from "./output/network-table.js";
import { drawGrowth } from "./output/plot.js";
import { updateRewriteTable } from "./output/rewrite-table.js";
import { updateStepTables } from "./output/table.js";
import { type Flags, type Settings, settingsFrom } from "./settings.js";
import { runGrowth } from "./suites/growth.js";
import { runLayers } from "./suites/layers.js";
import { runNetworks } from "./suites/networks.js";
import { runPage } from "./suites/page.js";
import { type PlanSettings, reportPlans, runPlans } from "./suites/plans.js";
import { runRewrites } from "./suites/rewrites.js";
import { runStartup } from "./suites/startup.js";
import { runSteps } from "./suites/steps.js";

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("It has to be a number above 0.");
  return value;
}

/** A command that runs a suite, with the options common to all suites. */
function suite(name: string, description: string, seconds: number): Command {
  return program
    .command(name)
    .description(description)
    .option("--rounds <n>", "turns of each contender", positive, 5)
    .option("--seconds <s>", "about how long a turn takes", positive, seconds)
    .option("--threads <n>", "threads of each contender (default: dyconv's default)", positive)
    .option("--python <command>", "a Python with PyTorch", process.env.DYCONV_PYTHON ?? "python3")
    .option("--match <text>", "only measurements whose title, as printed, contains this", "")
    .option("--quick", "tiny batches, one round, into runs/bench-quick: only to see that all works");
}

function measures(run: (settings: Settings) => Promise<unknown>): (flags: Flags) => Promise<void> {
  return async (flags) => {
    await run(await settingsFrom(flags));
  };
}

const program = new Command("npm run bench --").description(
  "Measure dyconv, alternating with PyTorch. Results: bench/results/*.csv. Wants a quiet machine.",
);
suite("steps", "whole training and evaluation steps", 1.5).action(measures(runSteps));
suite("layers", "single dynamic layers, each plan", 0.2).action(measures(runLayers));
suite("growth", "speed and memory by batch, K and image size", 1).action(measures(runGrowth));
suite("rewrites", "AlexNet-DY with and without each rewrite", 1.5).action(measures(runRewrites));
suite("networks", "ResNet-18, MobileNetV2 and MobileNetV3-Small, static and dynamic", 1)
  .option("--eager", "without torch.compile, which takes minutes for a network")
  .action(async (flags: Flags & { eager?: true }) => runNetworks(await settingsFrom(flags), flags.eager));
suite("page", "training AlexNet-DY in a page of headless Chromium, and in node", 1).action(measures(runPage));
suite("machine", "the machine: multiply-adds, copies, versions", 1).action(
  measures((settings) => recordMachine("machine", settings)),
);
suite("startup", "from `dyconv train` to the first step", 1)
  .option("--data <source>", "data to train on", "shapes")
  .action(async (flags: Flags & { data: string }) => runStartup(await settingsFrom(flags), flags.data));
program
  .command("table")
  .description("write the tables of README.md and docs/performance.md")
  .action(async () => {
    await updateStepTables();
    await updateNetworkTable();
    await updateRewriteTable();
  });
program
  .command("plans")
  .description(
    "convolutions with mixed kernels by each plan, at points of a grid; how often the chosen one is the best",
  )
  .option("--target <name>", "cpu or wasm", "cpu")
  .option("--points <n>", "points of the grid, a fifth of them depthwise", positive, 60)
  .option("--seed <n>", "by which they are drawn", positive, 1)
  .option("--rounds <n>", "turns of each plan", positive, 7)
  .option("--threads <n>", "threads of the runtime", positive, 2)
  .option("--clock <name>", "wall, or cpu: the process's own time, for one thread on a busy machine", "wall")
  .option("--report", "only say what the results so far show")
  .action((flags: PlanSettings & { report?: true }) => (flags.report ? reportPlans() : runPlans(flags)));
program.command("fit").description("fit the plans' cost model to the results of plans").action(fitPlans);
program.command("plot").description("draw docs/growth.svg").action(drawGrowth);

await program.parseAsync();
