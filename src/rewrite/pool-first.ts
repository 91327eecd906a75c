import { any, named, type Tensor, type TensorOf } from "../ir/index.js";
import {
  batchNormOperator,
  type ConvolutionAttributes,
  centredOperator,
  channelCentreOperator,
  channelStatisticsOperator,
  concat,
  constant,
  conv2dOperator,
  less,
  maxPool2dOperator,
  mul,
  relu,
  reluOperator,
  reshape,
  where,
} from "../ops/index.js";
import type { ForwardRewrite } from "./rewrite.js";
import { readersOf, transformGraph } from "./transform.js";

/** maxPool(relu(γ · (z − m) / σ + β)) of z: a convolution y, or y − c. */
const CHAIN = named(
  "pool",
  maxPool2dOperator,
  named(
    "activation",
    reluOperator,
    named(
      "norm",
      batchNormOperator,
      any("normalized"),
      any("scale", ({ inputs }) => inputs.length === 0),
      any("bias"),
      any("mean"),
      any("variance"),
    ),
  ),
);

/**
 * Pools before batch normalisation and ReLU. An increasing function commutes with the maximum and then processes a
 * quarter of the pixels (for stride 2). Where γ is negative the function decreases, so the convolution computes that
 * channel with the opposite sign. With s = sign(γ):
 *
 * maxPool(relu(γ·(z − m)/σ + β)) = relu(|γ|·(maxPool(s·z) − s·m)/σ + β), s·z = s·y − s·c
 *
 * Nothing else may read the intermediate tensors, except the statistics of z and the centre c of y.
 */
export const poolFirst = {
  name: "pool-first",
  sentence: "pools before batch normalisation and ReLU",
  stage: "forward",
  graphs: ["training"],
  apply: (graph) => {
    const readers = readersOf(graph);
    const onlyReadBy = (node: Tensor, allowed: (reader: Tensor) => boolean) =>
      readers.get(node)!.every((reader) => reader !== undefined && allowed(reader));

    const signs = new Map<Tensor, Tensor>();
    const pools = new Map<Tensor, Tensor>();
    for (const tensor of readers.keys()) {
      const chain = CHAIN.match(tensor);
      if (chain === undefined) continue;
      const { pool, activation, norm, normalized, scale } = chain;
      const centred = normalized.is(centredOperator);
      const convolution = centred ? normalized.inputs[0]! : normalized;
      const alone =
        onlyReadBy(activation, (reader) => reader.is(maxPool2dOperator)) &&
        onlyReadBy(norm, (reader) => reader === activation) &&
        onlyReadBy(normalized, (reader) => reader === norm || reader.is(channelStatisticsOperator)) &&
        (!centred ||
          onlyReadBy(convolution, (reader) => reader === normalized || reader.is(channelCentreOperator)));
      if (!alone || !convolution.is(conv2dOperator)) continue;
      const sign = signs.get(convolution) ?? signOf(scale);
      signs.set(convolution, sign);
      signs.set(normalized, sign);
      pools.set(pool, sign);
    }
    return transformGraph(graph, (node, original) => {
      const sign = signs.get(original) ?? pools.get(original) ?? signs.get(original.inputs[0]!);
      if (sign === undefined) return undefined;
      if (node.is(conv2dOperator)) return withSign(node, sign);
      if (node.is(channelCentreOperator)) return mul(node, sign);
      if (node.is(centredOperator)) {
        const [y, centre] = node.inputs as readonly [Tensor, Tensor];
        return node.with({ inputs: [y, mul(centre, sign)] });
      }
      if (node.is(channelStatisticsOperator)) return mul(node, meanSigns(sign));
      return node.is(maxPool2dOperator) ? pooledFirst(node, sign) : undefined;
    });
  },
} as const satisfies ForwardRewrite;

/** 1 or −1 per channel; 1 for 0. */
function signOf(scale: Tensor): Tensor {
  return where(less(scale, 0), -1, 1);
}

/** Factors for statistics [2, C]: the mean changes sign, the variance does not. */
function meanSigns(sign: Tensor): Tensor {
  const channels = sign.shape[0] as number;
  return concat(
    [reshape(sign, [1, channels]), constant(new Float32Array(channels).fill(1), [1, channels])],
    0,
  );
}

/** The convolution with the signs multiplied into its weights and bias. */
function withSign(convolution: TensorOf<ConvolutionAttributes>, sign: Tensor): Tensor {
  const [x, weight, bias] = convolution.inputs as readonly [Tensor, Tensor, Tensor?];
  const signed = mul(weight, reshape(sign, [sign.shape[0]!, 1, 1, 1]));
  return convolution.with({ inputs: bias ? [x, signed, mul(bias, sign)] : [x, signed] });
}

function pooledFirst(node: Tensor, sign: Tensor): Tensor {
  const { pool, norm, scale, bias, mean, variance } = CHAIN.match(node)!;
  const pooled = pool.with({ inputs: [norm.inputs[0]!] });
  return relu(norm.with({ inputs: [pooled, mul(scale, sign), bias, mul(mean, sign), variance] }));
}
