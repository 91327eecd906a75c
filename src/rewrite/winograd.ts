import { type Machine, multiplyAdds, nodesOf, type Tensor } from "../ir/index.js";
import {
  add,
  type ConvolutionAttributes,
  concat,
  constant,
  conv2dOperator,
  conv2dWeightGradientOperator,
  convTranspose2dOperator,
  fromBlocked,
  matmul,
  type Pair,
  reshape,
  slice,
  toBlocked,
  transpose,
  transposeLast,
} from "../ops/index.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";
import { type Matrix, winogradMatrices } from "./winograd-matrices.js";

type Sizes = readonly [number, number, number, number];

const TAPS = 3;
/** Outputs of a tile along each axis. More would lose too much precision in float32. */
const TILE = 4;
const POINTS = (TILE + TAPS - 1) ** 2;

/**
 * Computes 3×3 convolutions over small images in training by Winograd's minimal filtering (Lavin & Gray, CVPR 2016). At
 * each of 36 points, the forward pass and both gradients are a matrix product over all channels, tiles and images, with
 * a quarter of the multiplications. The transforms to the points and back are products with constant matrices.
 * Transformed x and dy serve two passes each, except in large batches. A forward pass alone gains little and is left
 * unchanged.
 */
export const winograd = {
  name: "winograd",
  sentence: "trains 3×3 convolutions on small images by Winograd's algorithm",
  stage: "machine",
  blockedLayout: true,
  graphs: ["training"],
  apply: (graph, { machine }) => {
    const { imagesAtOnce } = machine.profile.winograd;
    const gradients = nodesOf(graph).filter((node) => node.is(conv2dWeightGradientOperator));
    const sharing = new Set(gradients.flatMap(({ inputs }) => inputs));
    // Passes that share a filter also share transformed tensors, as common subexpressions.
    const filters = new Map<string, Filter>();
    return transformGraph(graph, (node, original) => {
      const pass = sharing.has(original.inputs[0]!) && passOf(node);
      if (!pass || !pays(pass, node, machine)) return undefined;
      const size = pass.image.shape.slice(2) as unknown as Pair;
      const { padding } = pass.attributes;
      // In a large batch, keeping transformed tensors for another pass costs more memory than the time saved is worth.
      const large = (pass.image.shape[0] as number) > imagesAtOnce;
      const key = [size, padding, large && node.operator.name].join("|");
      const filter = filters.get(key) ?? filterFor(size, padding, machine);
      filters.set(key, filter);
      return pass.atPoints(filter);
    });
  },
} as const satisfies MachineRewrite;

/** A convolution or one of its gradients, with its three tensors, one of which is the node itself. */
interface Pass {
  /** x or dx */
  readonly image: Tensor;
  /** y or dy */
  readonly result: Tensor;
  readonly weight: Tensor;
  readonly attributes: ConvolutionAttributes;
  /** The same computation by Winograd's algorithm. */
  readonly atPoints: (filter: Filter) => Tensor;
}

function passOf(node: Tensor): Pass | undefined {
  const [a, b, bias] = node.inputs as readonly [Tensor, Tensor, Tensor?];
  if (node.is(conv2dOperator)) {
    const { attributes } = node;
    return {
      image: a,
      result: node,
      weight: b,
      attributes,
      atPoints: (filter) => forward(node, a, b, bias, filter),
    };
  }
  if (node.is(convTranspose2dOperator)) {
    const { attributes } = node;
    return {
      image: node,
      result: a,
      weight: b,
      attributes,
      atPoints: (filter) => inputGradient(node, a, b, filter),
    };
  }
  if (node.is(conv2dWeightGradientOperator)) {
    const { attributes } = node;
    return {
      image: a,
      result: b,
      weight: node,
      attributes,
      atPoints: (filter) => weightGradient(node, a, b, filter),
    };
  }
  return undefined;
}

function forward(y: Tensor, x: Tensor, weight: Tensor, bias: Tensor | undefined, filter: Filter): Tensor {
  const kernels = transposeLast(kernelPoints(weight, filter));
  const products = toPoints(filter.image, x, filter).map((points) => matmul(points, kernels));
  const sums = fromPoints(filter.result, products, y.shape as Sizes, filter);
  return bias ? add(sums, reshape(bias, [1, -1, 1, 1])) : sums;
}

function inputGradient(dx: Tensor, dy: Tensor, weight: Tensor, filter: Filter): Tensor {
  const kernels = kernelPoints(weight, filter);
  const products = toPoints(filter.result, dy, filter).map((points) => matmul(points, kernels));
  return fromPoints(filter.image, products, dx.shape as Sizes, filter);
}

function weightGradient(dw: Tensor, x: Tensor, dy: Tensor, filter: Filter): Tensor {
  const ofResult = toPoints(filter.result, dy, filter);
  const products = toPoints(filter.image, x, filter).map((points, i) =>
    matmul(transposeLast(ofResult[i]!), points),
  );
  const sums = reshape(products.reduce(add), [POINTS, -1]);
  return reshape(matmul(transposeLast(sums), filter.weight), dw.shape);
}

/** The constant matrices of a convolution. Each transforms to the points, its transpose transforms back. */
interface Filter {
  readonly block: number;
  readonly imagesAtOnce: number;
  /** [36·T, H·W] */
  readonly image: Tensor;
  /** [36·T, H′·W′] */
  readonly result: Tensor;
  /** [36, 9] */
  readonly weight: Tensor;
}

/** Whether minimal filtering applies and saves enough. */
function pays({ image, result, weight, attributes }: Pass, node: Tensor, machine: Machine): boolean {
  const { block, profile } = machine;
  if (image.shape.includes("batch")) return false;
  const [batch, channels, ...size] = image.shape as Sizes;
  const [, out, ...resultSize] = result.shape as Sizes;
  const { stride, dilation, groups } = attributes;
  const plain = [...stride, ...dilation, groups].every((n) => n === 1);
  const divisible = channels % block === 0 && out % block === 0;
  if (!plain || !divisible || weight.shape.slice(2).some((taps) => taps !== TAPS)) return false;

  const tiles = resultSize.reduce((n, length) => n * Math.ceil(length / TILE), 1);
  const [pixels, results] = [size, resultSize].map(([height, width]) => height * width) as [number, number];
  const direct = multiplyAdds(node);
  const filtered = batch * POINTS * tiles * (channels * out + channels * pixels + out * results);
  const { leastRows, leastSaving } = profile.winograd;
  return batch * tiles >= leastRows && direct >= leastSaving * filtered;
}

function filterFor(size: Pair, padding: Pair, { block, profile }: Machine): Filter {
  const matrices = winogradMatrices({ size, padding, taps: TAPS, tile: TILE });
  const tensor = (rows: Matrix) => constant(Float32Array.from(rows.flat()), [rows.length, rows[0]!.length]);
  return {
    block,
    imagesAtOnce: profile.winograd.imagesAtOnce,
    image: tensor(matrices.image),
    result: tensor(matrices.result),
    weight: tensor(matrices.weight),
  };
}

/** [N, C, H, W] → [36, T·n, C] for each chunk of n images. */
function toPoints(matrix: Tensor, x: Tensor, { block, imagesAtOnce }: Filter): readonly Tensor[] {
  const [batch, channels, height, width] = x.shape as Sizes;
  const blocked = reshape(toBlocked(x, block), [batch, channels / block, height * width, block]);
  return Array.from({ length: Math.ceil(batch / imagesAtOnce) }, (_, part) => {
    const start = part * imagesAtOnce;
    const images = slice(blocked, { axis: 0, start, end: Math.min(batch, start + imagesAtOnce) });
    const pixels = reshape(transpose(images, [2, 0, 1, 3]), [height * width, -1]);
    return reshape(matmul(matrix, pixels), [POINTS, -1, channels]);
  });
}

/** [36, T·n, C] for each chunk of n images → [N, C, H, W]. */
function fromPoints(
  matrix: Tensor,
  parts: readonly Tensor[],
  [, channels, height, width]: Sizes,
  { block }: Filter,
): Tensor {
  const tiles = (matrix.shape[0] as number) / POINTS;
  const images = parts.map((points) => {
    const count = (points.shape[1] as number) / tiles;
    const pixels = matmul(transposeLast(matrix), reshape(points, [-1, count * channels]));
    const blocks = reshape(pixels, [height * width, count, channels / block, block]);
    return reshape(transpose(blocks, [1, 2, 0, 3]), [count, channels / block, height, width, block]);
  });
  return fromBlocked(concat(images, 0));
}

/** [O, C, 3, 3] → [36, O, C]. */
function kernelPoints(weight: Tensor, { weight: matrix }: Filter): Tensor {
  const [out, channels] = weight.shape as Sizes;
  const taps = transposeLast(reshape(weight, [out * channels, TAPS ** 2]));
  return reshape(matmul(matrix, taps), [POINTS, out, channels]);
}
