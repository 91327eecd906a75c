import type { Command } from "commander";
import type { EvaluateRunOptions } from "../../infer/evaluate-run.js";
import { batchSize, deviceOption, JSON_OPTION, temperatureOption, threadsOption } from "../flags/options.js";
import { checkpointOption, chooseAnnealed } from "../flags/samples.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface EvalFlags extends EvaluateRunOptions {
  readonly checkpoint?: string;
  readonly temperature?: number;
  readonly json?: true;
}

const LABEL = 10;

/** `dyconv eval RUN` */
export function defineEval(program: Command, terminal: Terminal): void {
  program
    .command("eval")
    .summary("evaluate a run on its test images")
    .description("Evaluate the weights of a run on the test images of its data.")
    .argument("<run>", "folder of the run")
    .addOption(checkpointOption())
    .option("--data <source>", "data source (default: the run's)")
    .option("--batch-size <n>", "batch size", batchSize, 64)
    .addOption(temperatureOption())
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option(...JSON_OPTION)
    .action(async (run: string, { json, checkpoint, temperature, ...flags }: EvalFlags) => {
      const { openRun } = await import("../../runs/open-run.js");
      const { evaluateRun } = await import("../../infer/evaluate-run.js");
      const opened = await openRun(run, checkpoint);
      const options = { ...flags, annealed: await chooseAnnealed(opened, temperature, terminal) };
      const result = await evaluateRun(opened, options);
      const { metrics, ...others } = result;
      if (json) return writeJson(terminal, { run, checkpoint, ...options, ...metrics, ...others });
      const { createTask } = await import("../../tasks/index.js");
      const task = createTask(opened.task, opened.config);
      const rows = Object.entries(metrics).map(([name, value]) => [
        task.metrics[name]!.label,
        value.toFixed(4),
      ]);
      const lines = [
        ["loss", result.loss.toFixed(4)],
        ...rows,
        ["speed", `${result.imagesPerSecond.toFixed(0)} images/s`],
      ];
      terminal.out(lines.map(([label, value]) => `${label!.padEnd(LABEL)}${value}\n`).join(""));
    });
}
