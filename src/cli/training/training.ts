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

/** Where a run is written, and how it starts. */
export interface TrainingPlace {
  readonly out: string;
  readonly resume?: boolean;
  readonly init?: string;
  readonly newHead?: boolean;
  readonly expertNoise?: number;
  /** Folder of a run whose configuration provides the defaults. */
  readonly like?: string;
}

/** The outcome of a training. */
interface TrainingOutcome {
  readonly result: TrainResult;
  /** @throws CommandFailed with the signal's exit code, if a signal stopped the training */
  readonly endIfInterrupted: () => void;
}

/**
 * Trains a model, shows progress on standard error, and plots its curves. Ctrl-C saves a checkpoint and
 * stops.
 */
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
  // Programs read logs too, so lines are not wrapped there.
  const width = () => (terminal.live ? terminal.width : Number.POSITIVE_INFINITY);
  let start: RunStart | undefined;
  const interrupt = new Interrupt(() =>
    print("stopping with a checkpoint; press Ctrl-C again to stop without one"),
  );
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
    // Written even if no epoch ended here: a previous process may have been killed before it could write
    // them.
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

/** The configuration of a run. A resumed run keeps its own configuration, except for what is given anew. */
async function configure(
  { entry }: NamedModel,
  flags: TrainingFlags,
  { out, resume = false, like }: TrainingPlace,
): Promise<TrainConfig> {
  const { parseTrainConfig } = await import("../../runs/config.js");
  const { describeRun, isRun } = await import("../../runs/description.js");
  // A run that was killed before its description was written starts over.
  const source = resume && isRun(out) ? out : like;
  const { modelOptions, others } = separateModelOptions(flags);
  const options = { model: entry, nameOf: (path: readonly PropertyKey[]) => flagOf(path, entry) };
  const model = entry.name;
  if (source === undefined) return parseTrainConfig({ ...others, modelOptions, model }, options);
  // Where to stop is a property of the process, not of the run.
  const { modelOptions: known, maxSteps: _, ...config } = (await describeRun(source)).config;
  const completed = { ...optionsOf(entry, known), ...modelOptions };
  const values = hasTemperature(entry, completed) ? config : withoutTemperature(config);
  return parseTrainConfig({ ...values, ...others, modelOptions: completed, model }, options);
}

/**
 * Rejects milestones given for another schedule. The configuration always has some, so only the flags can
 * tell.
 */
function checkMilestones({ milestones }: TrainingFlags, { schedule }: TrainConfig): void {
  if (milestones === undefined || schedule === "multi-step") return;
  throw new UsageError(`the schedule ${schedule} has no milestones`, {
    hint: "remove --milestones, or use --schedule multi-step",
  });
}
