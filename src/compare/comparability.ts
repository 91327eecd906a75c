import type { DatasetPair } from "../data/index.js";
import { CheckpointError } from "../errors/index.js";
import { PUBLISHED_RESULTS } from "../report/index.js";
import { parseTrainConfig, type TrainConfig } from "../runs/config.js";
import type { RunDescription } from "../runs/description.js";

/** A run to compare, with its name. */
export interface NamedRun extends Pick<RunDescription, "config" | "task" | "classes" | "dataFingerprint"> {
  readonly name: string;
}

/** Options that choose the validation images. */
const VALIDATION = ["valSplit", "limitVal"] as const satisfies readonly (keyof TrainConfig)[];
/** Options of the published experiment. */
const RECIPE = [
  "epochs",
  "batchSize",
  "optimizer",
  "learningRate",
  "schedule",
  "milestones",
  "warmUp",
  "momentum",
  "weightDecay",
  "cropScale",
  "labelSmoothing",
  "temperature",
  "temperatureDecrement",
  "temperatureEvery",
  "limitTrain",
  ...VALIDATION,
] as const satisfies readonly (keyof TrainConfig)[];
/** Number of images in CIFAR-10. */
const CIFAR10 = { train: 50_000, test: 10_000 };
const CIFAR10_CLASSES = "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck";

/**
 * Reasons why the accuracies of runs cannot be compared, one sentence each. Empty if they can.
 *
 * @throws CheckpointError if their classes differ
 */
export function cautionsOf(runs: readonly NamedRun[]): string[] {
  const [first, ...others] = runs;
  return others.flatMap((other) => {
    if (first!.task !== other.task) {
      throw new CheckpointError(`${first!.name} learns ${first!.task}, ${other.name} learns ${other.task}`, {
        hint: "compare runs of the same task",
      });
    }
    if (first!.classes.join("\0") !== other.classes.join("\0")) {
      throw new CheckpointError(`${first!.name} and ${other.name} were trained on different classes`, {
        hint: "compare runs of the same classes",
      });
    }
    const pair = `${first!.name} and ${other.name}`;
    if (first!.dataFingerprint !== other.dataFingerprint) {
      return [
        `${pair} were trained and validated on different data, so their accuracies cannot be compared.`,
      ];
    }
    const differing = validationOptions(first!).filter((key) => first!.config[key] !== other.config[key]);
    if (differing.length === 0) return [];
    return [
      `${pair} were validated on different images (${differing.join(", ")}), so their accuracies cannot be compared.`,
    ];
  });
}

/**
 * Options that chose the validation images: including the seed, if some were held out of the training images.
 */
function validationOptions({ config }: NamedRun): readonly (keyof TrainConfig)[] {
  return config.valSplit > 0 ? [...VALIDATION, "seed"] : VALIDATION;
}

/** Whether a run repeats the published experiment: one of its models, with its data and recipe. */
export function repeatsPublished(
  { config }: Pick<NamedRun, "config">,
  { train, test }: DatasetPair,
): boolean {
  const models = PUBLISHED_RESULTS.map(({ model }) => model.toLowerCase());
  if (!models.includes(config.model)) return false;
  const published = parseTrainConfig({ model: config.model });
  return (
    train.classes.join() === CIFAR10_CLASSES &&
    train.length === CIFAR10.train &&
    test.length === CIFAR10.test &&
    RECIPE.every((key) => JSON.stringify(config[key]) === JSON.stringify(published[key]))
  );
}
