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

/** `dyconv eval RUN` */
export function defineEval(program: Command, terminal: Terminal): void {
  program
    .command("eval")
    .summary("evaluate a run on its test images")
    .description("Evaluate the weights of a run on the test images of its data.")
    .argument("<run>", "folder of the run")
    .addOption(checkpointOption())
    .option("--data <source>", "another data source than the run's")
    .option("--batch-size <n>", "images a step", batchSize, 64)
    .addOption(temperatureOption())
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option(...JSON_OPTION)
    .action(async (run: string, { json, checkpoint, temperature, ...others }: EvalFlags) => {
      const { openRun } = await import("../../runs/open-run.js");
      const { evaluateRun } = await import("../../infer/evaluate-run.js");
      const opened = await openRun(run, checkpoint);
      const options = { ...others, annealed: await chooseAnnealed(opened, temperature, terminal) };
      const result = await evaluateRun(opened, options);
      if (json) return writeJson(terminal, { run, checkpoint, ...options, ...result });
      terminal.out(`loss      ${result.loss.toFixed(4)}
top-1     ${result.accuracy.toFixed(4)}
top-5     ${result.top5.toFixed(4)}
speed     ${result.imagesPerSecond.toFixed(0)} images/s
`);
    });
}
