import { UsageError } from "../errors/index.js";
import type { Tensor, TensorData, Tensors } from "../ir/index.js";
import { type ModelState, TrainingInputs } from "../nn/index.js";
import { type CompiledStep, compileStep, type RuntimeOptions } from "../runtime/index.js";
import { spec, type TensorSpec } from "../trace/index.js";
import { openAccumulation } from "./accumulation.js";
import { type GradientStepOptions, trainingStep, type UpdateStepOptions } from "./step.js";

/** What to compile to a training step. */
export interface TrainingDesign extends Omit<GradientStepOptions, "share">, UpdateStepOptions {
  /** Batch size of an update. */
  readonly batchSize: number;
  /** Height and width of the model's input images. */
  readonly imageSize: number;
  /**
   * Number of equal parts to split a batch into, which needs only the memory of one part. Batch norm then
   * normalizes each part separately. By default, forward pass, backward pass and update are one graph; with a
   * number, even 1, one graph accumulates gradients and another applies them.
   */
  readonly accumulate?: number;
  /** Seed of the dropout masks. */
  readonly seed: number;
  /** Parameters, buffers and slots. */
  readonly state: Readonly<Record<string, TensorSpec>>;
  /** Inputs per image, by name: one row each. */
  readonly rows: Readonly<Record<string, TensorSpec>>;
  /** Targets per image, by name: one row each. */
  readonly targets: Readonly<Record<string, TensorSpec>>;
  /** Turns the rows into images [B, 3, S, S]. */
  readonly prepare: (rows: Tensors) => Tensor;
}

/** Position of a step in the schedules. */
export interface StepSettings {
  readonly learningRate: number;
  /** Values of annealed scalars, by name. */
  readonly annealed: Readonly<Record<string, number>>;
  /** Steps done before this one. */
  readonly step: number;
}

/** Results of a step. */
export interface StepFigures {
  /** Mean loss of the batch, with the weights before the update. */
  readonly loss: number;
  /** Sum over the images of the metric that the task tracks. */
  readonly measured: number;
  /** Global norm of the gradients. Only present if they are clipped. */
  readonly gradientNorm?: number;
}

/** The arrays of `rows` and `targets`, by name. */
export type BatchArrays = Readonly<Record<string, TensorData>>;

/** A compiled training step. It owns the model's state and the optimiser's slots. */
export interface CompiledTraining {
  /** Runs one step on a batch. */
  run(batch: BatchArrays, settings: StepSettings): Promise<StepFigures>;
  /** Parameters, buffers and slots, as views. The step after next overwrites them. */
  state(): Promise<ModelState>;
  /** Copies values into the state. Names that are left out keep their values. */
  setState(values: ModelState): void;
  /** Frees the sessions. */
  dispose(): Promise<void>;
}

/** Specs of an update's inputs. */
export const SETTINGS = { learningRate: spec([]), step: spec([]) } as const;

/** Settings as arrays that the graph takes. */
export function settingArrays({ learningRate, step }: StepSettings) {
  return {
    learningRate: Float32Array.of(learningRate),
    step: Float32Array.of(step + 1),
  };
}

/**
 * Compiles a training step.
 *
 * @throws UsageError if the batch size is not divisible by the number of parts
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function compileTraining(
  design: TrainingDesign,
  runtime: RuntimeOptions,
): Promise<CompiledTraining> {
  const { model, batchSize, imageSize, accumulate, seed } = design;
  const parts = accumulate ?? 1;
  if (!Number.isInteger(parts) || parts < 1 || batchSize % parts !== 0) {
    throw new UsageError(`a batch of ${batchSize} images cannot be split into ${parts} equal parts`, {
      hint: "choose an accumulation that divides the batch size",
    });
  }
  const asked = new TrainingInputs(model, [batchSize / parts, 3, imageSize, imageSize], { seed, parts });
  return accumulate === undefined
    ? openWholeStep(design, asked, runtime)
    : openAccumulation(design, asked, runtime);
}

/** Compiles forward pass, backward pass and update as one graph. */
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

/** Specs of a batch of the given size. */
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

/** Reads the scalars from a step's results. */
export function figuresOf(results: Readonly<Record<string, TensorData>>): StepFigures {
  const { loss, measured, gradientNorm } = results;
  return {
    loss: Number(loss![0]),
    measured: Number(measured![0]),
    ...(gradientNorm && { gradientNorm: Number(gradientNorm[0]) }),
  };
}
