import { UsageError } from "../errors/index.js";
import { type Tensor, topologicalOrder } from "../ir/index.js";
import {
  type ApplyOptions,
  type AttentionPlace,
  applyModel,
  type ForwardContext,
  freeze,
  type ModelState,
  Module,
} from "../nn/index.js";
import {
  add,
  constant,
  conv2d,
  mixedConv2dOperator,
  mixKernels,
  mul,
  perSampleConv2dOperator,
} from "../ops/index.js";
import { transformGraph } from "../rewrite/transform.js";
import { compile, type RuntimeOptions } from "../runtime/index.js";
import { spec } from "../trace/index.js";
import { RandomStream } from "../util/random.js";
import { elementCount, staticShape } from "../util/shape.js";
import type { MeanAttention } from "./replaced-attention.js";

/** Kinds of attention in which kernels are linear, so that the mean attention yields the mean kernel. */
const LINEAR_KINDS: readonly string[] = ["kernel", "cell"];
/** Number of images for which kernels must be equal. */
const TRIED = 2;
const SAME = 1e-5;

/** A kernel, or biases, shared by all images. */
interface Weights {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

/** Replacements of the convolutions with mixed kernels, in execution order. */
export type MeanKernels = readonly { readonly kernel: Weights; readonly bias: Weights | undefined }[];

/** A network in which every convolution with mixed kernels uses the mean kernel. */
export class CollapsedNetwork extends Module {
  /** @param network the dynamic network. This one has its parameters, under `network` */
  constructor(
    readonly network: Module,
    readonly meanOf: MeanAttention,
    readonly kernels: MeanKernels,
  ) {
    super();
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const parameters = this.network.namedParameters();
    const state = Object.fromEntries(
      parameters.map(([name, parameter]) => [name, context.read(parameter)] as const),
    );
    const annealed = Object.fromEntries(
      this.network.annealedScalars().map((scalar) => [scalar.name, context.annealed(scalar)] as const),
    );
    const { output, places } = applyWithMeans(this.network, state, x, this.meanOf, { annealed });
    let next = 0;
    const graph = { inputs: [], outputs: [{ name: "output", tensor: output }] };
    const collapsed = transformGraph(graph, (node) => {
      if (!isMixing(node)) return undefined;
      const { kernel, bias } = this.kernels[next++]!;
      const weights = constant(kernel.values, kernel.shape);
      return conv2d(node.inputs[0]!, weights, bias && constant(bias.values, bias.shape), geometryOf(node));
    });
    const { tensor } = collapsed.outputs[0]!;
    refuseLeftOver(tensor, places);
    return tensor;
  }

  /** Converts the state of the dynamic network. */
  stateFrom(state: ModelState): ModelState {
    return Object.fromEntries(Object.entries(state).map(([name, values]) => [`network.${name}`, values]));
  }
}

/**
 * Computes the kernels that the mean attention mixes.
 *
 * @throws UsageError naming each layer whose kernels are not linear in its attention, or still differ between
 * images
 */
export async function findMeanKernels(
  network: Module,
  state: ModelState,
  meanOf: MeanAttention,
  {
    imageSize,
    annealed,
    ...runtime
  }: RuntimeOptions & {
    readonly imageSize: number;
    readonly annealed: Readonly<Record<string, number>>;
  },
): Promise<MeanKernels> {
  const found: { scope: string; kernel: readonly number[]; bias: readonly number[] | undefined }[] = [];
  const weights = freeze(network, state);
  const run = await compile(
    (x: Tensor) => {
      const { output, places } = applyWithMeans(network, weights, x, meanOf, { annealed });
      refuseOtherKinds(places.map(({ place }) => place));
      const outputs: Record<string, Tensor> = { output };
      for (const node of topologicalOrder([output]).filter(isMixing)) {
        const { kernel, bias } = kernelsOf(node);
        outputs[`kernel${found.length}`] = kernel;
        if (bias) outputs[`bias${found.length}`] = bias;
        const shapeOf = (x: Tensor) => staticShape(x.shape, "kernels").slice(1);
        found.push({ scope: node.scope, kernel: shapeOf(kernel), bias: bias && shapeOf(bias) });
      }
      return outputs;
    },
    [spec([TRIED, 3, imageSize, imageSize])],
    runtime,
  );
  const random = new RandomStream(0, "collapse");
  const images = Float32Array.from({ length: TRIED * 3 * imageSize ** 2 }, () => random.uniform());
  const results = (await run(images)) as Readonly<Record<string, Float32Array>>;
  await run.dispose();
  const shared = (name: string, shape: readonly number[], scope: string): Weights => {
    const size = elementCount(shape);
    const [first, second] = [results[name]!.slice(0, size), results[name]!.subarray(size)];
    if (first.every((value, i) => Math.abs(value - second[i]!) <= SAME * (1 + Math.abs(value)))) {
      return { values: first, shape };
    }
    throw new UsageError(`${scope} cannot be collapsed: its kernels depend on more than its attention`);
  };
  return found.map(({ scope, kernel, bias }, n) => ({
    kernel: shared(`kernel${n}`, kernel, scope),
    bias: bias && shared(`bias${n}`, bias, scope),
  }));
}

interface PlacedMean {
  readonly place: AttentionPlace;
  /** Replacement of the attention. */
  readonly mean: Tensor;
}

function applyWithMeans(
  network: Module,
  state: Readonly<Record<string, Tensor>>,
  x: Tensor,
  meanOf: MeanAttention,
  options: ApplyOptions,
) {
  const places: PlacedMean[] = [];
  const { output } = applyModel(network, state, x, {
    ...options,
    replaceAttention: (place, { values }) => {
      const shape = [1, ...staticShape(values.shape.slice(1), "attention")];
      // Keeps an open batch size, which shows what still depends on it once the kernels are constants.
      const mean = add(mul(values, 0), constant(meanOf(place), shape));
      places.push({ place, mean });
      return mean;
    },
  });
  return { output, places };
}

function isMixing(node: Tensor): boolean {
  return node.is(mixedConv2dOperator) || node.is(perSampleConv2dOperator);
}

function kernelsOf(node: Tensor): { readonly kernel: Tensor; readonly bias: Tensor | undefined } {
  const { inputs } = node;
  return node.is(mixedConv2dOperator)
    ? { kernel: mixKernels(inputs[1]!, inputs[2]!), bias: inputs[3] }
    : { kernel: inputs[1]!, bias: inputs[2] };
}

function geometryOf(node: Tensor) {
  const of = node.is(mixedConv2dOperator) || node.is(perSampleConv2dOperator) ? node.attributes : undefined;
  const { stride, padding, dilation, groups } = of!;
  return { stride, padding, dilation, groups };
}

function refuseOtherKinds(places: readonly AttentionPlace[]): void {
  const others = places.filter(({ kind }) => !LINEAR_KINDS.includes(kind));
  if (others.length === 0) return;
  const layers = [...new Set(others.map(({ layer }) => layer))];
  const words = layers.map((layer) => {
    const kinds = others.filter((each) => each.layer === layer).map(({ kind }) => kind);
    return `${layer} (${kinds.join(", ")})`;
  });
  throw new UsageError(
    `the mean attention of these layers does not have their mean kernel: ${words.join("; ")}`,
    {
      hint: "only layers that mix kernels alone, such as DynamicConv2d, CondConv2d and KernelWarehouse, can be collapsed",
    },
  );
}

function refuseLeftOver(output: Tensor, places: readonly PlacedMean[]): void {
  const needed = new Set(topologicalOrder([output]));
  const left = places.filter(({ mean }) => needed.has(mean)).map(({ place }) => place.layer);
  if (left.length === 0) return;
  throw new UsageError(`what these layers mix is not the kernel of a 2-D convolution: ${left.join(", ")}`, {
    hint: "only convolutions with one kernel for the whole image can be collapsed",
  });
}
