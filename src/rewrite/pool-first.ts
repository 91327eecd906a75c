import type { Graph, Tensor } from "../ir/index.js";
import {
  batchNorm,
  type ConvolutionOptions,
  concat,
  constant,
  conv2d,
  less,
  maxPool2d,
  mul,
  type Pair,
  relu,
  reshape,
  where,
} from "../ops/index.js";
import { readersOf, transformGraph } from "./transform.js";

/** A convolution whose output goes through batch normalisation, ReLU and max pooling, and nowhere else. */
interface Chain {
  readonly convolution: Tensor;
  /** γ of the batch normalisation. */
  readonly scale: Tensor;
  readonly pool: Tensor;
}

/**
 * Pools before batch normalisation and ReLU: a rising function may follow the maximum as well as precede it,
 * and then has a quarter of the pixels to work on. Where γ is negative the function falls; there the
 * convolution computes the channel with the opposite sign. With s = the sign of γ:
 *
 * maxPool(relu(γ·(y − m)/σ + β)) = relu(|γ|·(maxPool(s·y) − s·m)/σ + β)
 */
export function poolFirst(graph: Graph): Graph {
  const chains = findChains(graph);
  const signs = new Map(chains.map(({ convolution, scale }) => [convolution, signOf(scale)]));
  const pools = new Map(chains.map(({ pool, convolution }) => [pool, signs.get(convolution)!]));
  return transformGraph(graph, (node, original) => {
    if (signs.has(original)) return withSign(node, signs.get(original)!);
    if (pools.has(original)) return pooledFirst(node, pools.get(original)!);
    const sign = node.operator.name === "channelStatistics" && signs.get(original.inputs[0]!);
    return sign ? mul(node, meanSigns(sign)) : node;
  });
}

function findChains(graph: Graph): readonly Chain[] {
  const readers = readersOf(graph);
  const onlyFor = (node: Tensor, ...names: readonly string[]) =>
    readers.get(node)!.every((reader) => reader !== undefined && names.includes(reader.operator.name));

  return [...readers.keys()].flatMap((pool): readonly Chain[] => {
    const activation = pool.inputs[0];
    const norm = activation?.inputs[0];
    const convolution = norm?.inputs[0];
    const names = [pool, activation, norm, convolution].map((node) => node?.operator.name);
    if (names.join() !== "maxPool2d,relu,batchNorm,conv2d") return [];
    const alone =
      onlyFor(activation!, "maxPool2d") &&
      onlyFor(norm!, "relu") &&
      onlyFor(convolution!, "batchNorm", "channelStatistics");
    const scale = norm!.inputs[1]!;
    return alone && scale.inputs.length === 0 ? [{ convolution: convolution!, scale, pool }] : [];
  });
}

/** 1 or −1 for each channel; 1 for 0. */
function signOf(scale: Tensor): Tensor {
  return where(less(scale, 0), -1, 1);
}

/** Factors for statistics [2, C]: the mean changes its sign, the variance does not. */
function meanSigns(sign: Tensor): Tensor {
  const channels = sign.shape[0] as number;
  return concat(
    [reshape(sign, [1, channels]), constant(new Float32Array(channels).fill(1), [1, channels])],
    0,
  );
}

/** The convolution with the signs of its outputs in its weights. */
function withSign({ inputs: [x, weight, bias], attributes }: Tensor, sign: Tensor): Tensor {
  const signed = mul(weight!, reshape(sign, [sign.shape[0]!, 1, 1, 1]));
  return conv2d(x!, signed, bias && mul(bias, sign), attributes as ConvolutionOptions);
}

function pooledFirst(pool: Tensor, sign: Tensor): Tensor {
  const norm = pool.inputs[0]!.inputs[0]!;
  const [y, scale, bias, mean, variance] = norm.inputs;
  const { kernel, stride, padding } = pool.attributes as { kernel: Pair; stride: Pair; padding: Pair };
  const parameters = { scale: mul(scale!, sign), bias: bias!, mean: mul(mean!, sign), variance: variance! };
  const pooled = maxPool2d(y!, { kernelSize: kernel, stride, padding });
  return relu(batchNorm(pooled, parameters, norm.attributes.epsilon as number));
}
