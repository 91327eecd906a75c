import { UsageError } from "../../errors/index.js";
import type { TrainConfig } from "../../runs/config.js";
import type { RunStart } from "../../train/run-start.js";
import type { TrainResult } from "../../train/training-run.js";
import { optionsOf, separateModelOptions } from "../flags/model-options.js";
import type { NamedModel } from "../flags/models.js";
import { flagOf, hasTemperature, type TrainingFlags, withoutTemperature } from "../flags/training-options.js";
import { progressDisplay } from "../terminal/progress.js";
import type { Terminal } from "../terminal/terminal.js";
import { Interrupt } from "./interrupt.js";
import { closingLine, epochLine, startLines } from "./training-lines.js";

/** Where a run goes, and how it begins. */
export interface TrainingPlace {
  readonly out: string;
  readonly resume?: boolean;
  readonly init?: string;
  readonly newHead?: boolean;
  readonly expertNoise?: number;
  /** Folder of a run whose configuration this one has where it is told nothing else. */
  readonly like?: string;
}

/** How a training ended. */
interface TrainingOutcome {
  readonly result: TrainResult;
  /** Ends the command where a signal stopped the training: throws CommandFailed with the signal's exit code. */
  readonly endIfInterrupted: () => void;
}

/** Trains a model, showing progress on standard error, and draws its curves. Ctrl-C saves and stops. */
export async function runTraining(
  model: NamedModel,
  flags: TrainingFlags,
  place: TrainingPlace,
  terminal: Terminal,
): Promise<TrainingOutcome> {
  const config = await configure(model, flags, place);
  checkMilestones(flags, config);
  const { train } = await import("../../train/trainer.js");
  const { out, like: _, ...beginning } = place;

  const progress = progressDisplay(terminal, { epochs: config.epochs });
  const print = (line: string) => {
    progress.clear();
    terminal.err(`${line}\n`);
  };
  // Lines of a log are for programs too: they are not broken.
  const width = () => (terminal.live ? terminal.width : Number.POSITIVE_INFINITY);
  let start: RunStart | undefined;
  const interrupt = new Interrupt(() => print("stopping with a checkpoint; Ctrl-C again stops without"));
  try {
    const result = await train(config, {
      ...beginning,
      out,
      model: model.entry,
      ...(model.file && { modelFile: model.file }),
      signal: interrupt.signal,
      onStart: (started) => {
        start = started;
        print(startLines(started, width()).join("\n"));
      },
      onDownload: progress.download,
      onStep: progress.step,
      onEpoch: (metrics) => print(epochLine(metrics, start!, width())),
      onWarning: (message) => print(`warning: ${message}`),
    });
    // Also where another process was killed before it could.
    if (result.position.epoch > 0) {
      const { writeCurves } = await import("../../compare/curves.js");
      await writeCurves([out], out);
    }
    print(closingLine(result, start!.task, out, width()));
    return { result, endIfInterrupted: () => interrupt.throwIfReceived() };
  } finally {
    progress.clear();
    interrupt.stopListening();
  }
}

/** The configuration of a run. What a resumed run is not told anew, it takes from its own. */
async function configure(
  { entry }: NamedModel,
  flags: TrainingFlags,
  { out, resume = false, like }: TrainingPlace,
): Promise<TrainConfig> {
  const { parseTrainConfig } = await import("../../runs/config.js");
  const { describeRun, isRun } = await import("../../runs/description.js");
  // A run that was killed before it was described is begun again.
  const source = resume && isRun(out) ? out : like;
  const { modelOptions, others } = separateModelOptions(flags);
  const options = { model: entry, nameOf: (path: readonly PropertyKey[]) => flagOf(path, entry) };
  const model = entry.name;
  if (source === undefined) return parseTrainConfig({ ...others, modelOptions, model }, options);
  // Where to stop is a word to one process, not a property of the run.
  const { modelOptions: known, maxSteps: _, ...config } = (await describeRun(source)).config;
  const completed = { ...optionsOf(entry, known), ...modelOptions };
  const values = hasTemperature(entry, completed) ? config : withoutTemperature(config);
  return parseTrainConfig({ ...values, ...others, modelOptions: completed, model }, options);
}

/** Milestones are always part of a configuration; only those that are given can be given in vain. */
function checkMilestones({ milestones }: TrainingFlags, { schedule }: TrainConfig): void {
  if (milestones === undefined || schedule === "multi-step") return;
  throw new UsageError(`the schedule ${schedule} has no milestones`, {
    hint: "leave out --milestones, or take --schedule multi-step",
  });
}
