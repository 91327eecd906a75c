import { UsageError } from "../errors/index.js";
import type { Tensor, TensorData, Tensors } from "../ir/index.js";
import { type ModelState, TrainingInputs } from "../nn/index.js";
import { type CompiledStep, compileStep, type RuntimeOptions } from "../runtime/index.js";
import { spec, type TensorSpec } from "../trace/index.js";
import { openAccumulation } from "./accumulation.js";
import { type GradientStepOptions, trainingStep, type UpdateStepOptions } from "./step.js";

/** What is compiled to a training step. */
export interface TrainingDesign extends Omit<GradientStepOptions, "share">, UpdateStepOptions {
  /** Images in the batch of an update. */
  readonly batchSize: number;
  /** Height and width of the images that the model takes. */
  readonly imageSize: number;
  /**
   * Equal parts that a batch is taken in, to train it in the memory of one part; batch norm then normalizes each
   * part by itself. By default forward, backward and update are one graph; with a number, 1 included, gradients
   * are added up by one graph and applied by another.
   */
  readonly accumulate?: number;
  /** Seed of the dropout masks. */
  readonly seed: number;
  /** Parameters, buffers and slots. */
  readonly state: Readonly<Record<string, TensorSpec>>;
  /** What each image is fed as, by name: one row each. */
  readonly rows: Readonly<Record<string, TensorSpec>>;
  /** What is to be learned of each image, by name: one row each. */
  readonly targets: Readonly<Record<string, TensorSpec>>;
  /** Images [B, 3, S, S] from such rows. */
  readonly prepare: (rows: Tensors) => Tensor;
}

/** Where in the schedules a step is. */
export interface StepSettings {
  readonly learningRate: number;
  /** Values of annealed scalars by name. */
  readonly annealed: Readonly<Record<string, number>>;
  /** Steps done before this one. */
  readonly step: number;
}

/** What a step gave. */
export interface StepFigures {
  /** Mean loss of the batch, on the weights before the update. */
  readonly loss: number;
  /** Sum over the images of the measure that the task follows. */
  readonly measured: number;
  /** Global norm of the gradients, where they are clipped. */
  readonly gradientNorm?: number;
}

/** The arrays of `rows` and `targets`, by name. */
export type BatchArrays = Readonly<Record<string, TensorData>>;

/** A compiled training step; state and the optimiser's slots stay inside. */
export interface CompiledTraining {
  /** Runs a step on a batch. */
  run(batch: BatchArrays, settings: StepSettings): Promise<StepFigures>;
  /** Parameters, buffers and slots: views that the step after next writes again. */
  state(): Promise<ModelState>;
  /** Copies values into the state; names that are left out keep theirs. */
  setState(values: ModelState): void;
  /** Frees the sessions. */
  dispose(): Promise<void>;
}

/** Specs of what an update is fed with. */
export const SETTINGS = { learningRate: spec([]), step: spec([]) } as const;

/** Settings as the graph takes them. */
export function settingArrays({ learningRate, step }: StepSettings) {
  return {
    learningRate: Float32Array.of(learningRate),
    step: Float32Array.of(step + 1),
  };
}

/**
 * Compiles a training step.
 *
 * @throws UsageError if the batch cannot be taken in so many equal parts
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function compileTraining(
  design: TrainingDesign,
  runtime: RuntimeOptions,
): Promise<CompiledTraining> {
  const { model, batchSize, imageSize, accumulate, seed } = design;
  const parts = accumulate ?? 1;
  if (!Number.isInteger(parts) || parts < 1 || batchSize % parts !== 0) {
    throw new UsageError(`a batch of ${batchSize} images cannot be taken in ${parts} equal parts`, {
      hint: "choose an accumulation that divides the batch size",
    });
  }
  const asked = new TrainingInputs(model, [batchSize / parts, 3, imageSize, imageSize], { seed, parts });
  return accumulate === undefined
    ? openWholeStep(design, asked, runtime)
    : openAccumulation(design, asked, runtime);
}

/** Forward, backward and update in one graph. */
async function openWholeStep(
  design: TrainingDesign,
  asked: TrainingInputs,
  runtime: RuntimeOptions,
): Promise<CompiledTraining> {
  const { batchSize, state, prepare } = design;
  const inputs = { ...rowSpecs(design, batchSize), ...SETTINGS, ...asked.specs };
  const step: CompiledStep = await compileStep(
    (current: Tensors, fed: Tensors) => {
      const { learningRate, step } = fed as Tensors & Record<keyof typeof SETTINGS, Tensor>;
      const { state, loss, measured, gradientNorm } = trainingStep(design, {
        ...{ state: current, targets: fed, learningRate, step },
        images: prepare(fed),
        pass: asked.options(fed),
      });
      return { state, results: { loss, measured, ...(gradientNorm && { gradientNorm }) } };
    },
    { state, inputs },
    {},
    runtime,
  );
  return {
    run: async (batch, settings) => {
      const given = asked.values(settings.step, settings.annealed);
      return figuresOf(await step.run({ ...batch, ...settingArrays(settings), ...given }));
    },
    state: async () => (await step.state()) as ModelState,
    setState: (values) => step.setState(values),
    dispose: () => step.dispose(),
  };
}

/** Specs of a batch of so many images. */
export function rowSpecs(
  { rows, targets }: Pick<TrainingDesign, "rows" | "targets">,
  images: number,
): Readonly<Record<string, TensorSpec>> {
  return Object.fromEntries(
    Object.entries({ ...rows, ...targets }).map(([name, { shape, dtype }]) => [
      name,
      spec([images, ...(shape as readonly number[])], dtype),
    ]),
  );
}

/** The scalars among results. */
export function figuresOf(results: Readonly<Record<string, TensorData>>): StepFigures {
  const { loss, measured, gradientNorm } = results;
  return {
    loss: Number(loss![0]),
    measured: Number(measured![0]),
    ...(gradientNorm && { gradientNorm: Number(gradientNorm[0]) }),
  };
}
