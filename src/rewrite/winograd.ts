import { type Graph, type Machine, nodesOf, type Tensor } from "../ir/index.js";
import {
  add,
  constant,
  fromBlocked,
  matmul,
  type Pair,
  reshape,
  toBlocked,
  transpose,
  transposeLast,
} from "../ops/index.js";
import { transformGraph } from "./transform.js";
import { type Matrix, winogradMatrices } from "./winograd-matrices.js";

type Sizes = readonly [number, number, number, number];

const TAPS = 3;
/** Outputs of a tile along each axis; with more of them float32 would lose too much. */
const TILE = 4;
const POINTS = (TILE + TAPS - 1) ** 2;

/** How many times fewer multiply-adds are worth it: products reach about two thirds of a blocked convolution's pace. */
const WORTH = 1.5;
/** Rows of a product, tiles times images, below which it is the kernels' points that take the time. */
const LEAST_ROWS = 32;

/**
 * 3×3 convolutions over small images, while they are trained, by Winograd's minimal filtering (Lavin & Gray, CVPR
 * 2016). At each of 36 points, the forward pass and both gradients are a matrix product over all channels, tiles and
 * images, with a quarter of the multiplications; the way to the points and back is a product with a constant
 * matrix. The points of x and dy serve two passes each. A forward pass by itself gains little, and is left as it is.
 */
export function filterAtPoints(graph: Graph, { block }: Machine): Graph {
  if (block === 0) return graph;
  const gradients = nodesOf(graph).filter(({ operator }) => operator.name === "conv2dWeightGradient");
  const sharing = new Set(gradients.flatMap(({ inputs }) => inputs));
  return transformGraph(graph, (node, original) => {
    const pass = PASSES[node.operator.name];
    const filter =
      pass && sharing.has(original.inputs[0]!) ? filterFor(pass.roles(node), node, block) : undefined;
    return filter === undefined ? node : pass!.atPoints(node, filter);
  });
}

/** Who takes part in a convolution; one of them is the node itself. */
interface Roles {
  /** x or dx */
  readonly image: Tensor;
  /** y or dy */
  readonly result: Tensor;
  readonly weight: Tensor;
}

/** A convolution or one of its gradients. */
interface Pass {
  readonly roles: (node: Tensor) => Roles;
  readonly atPoints: (node: Tensor, filter: Filter) => Tensor;
}

const PASSES: Readonly<Record<string, Pass>> = {
  conv2d: {
    roles: (y) => ({ image: y.inputs[0]!, result: y, weight: y.inputs[1]! }),
    atPoints: (y, filter) => {
      const [x, weight, bias] = y.inputs;
      const products = matmul(
        toPoints(filter.image, x!, filter),
        transposeLast(kernelPoints(weight!, filter)),
      );
      const sums = fromPoints(filter.result, products, y.shape as Sizes, filter);
      return bias ? add(sums, reshape(bias, [1, -1, 1, 1])) : sums;
    },
  },
  convTranspose2d: {
    roles: (dx) => ({ image: dx, result: dx.inputs[0]!, weight: dx.inputs[1]! }),
    atPoints: (dx, filter) => {
      const [dy, weight] = dx.inputs;
      const products = matmul(toPoints(filter.result, dy!, filter), kernelPoints(weight!, filter));
      return fromPoints(filter.image, products, dx.shape as Sizes, filter);
    },
  },
  conv2dWeightGradient: {
    roles: (dw) => ({ image: dw.inputs[0]!, result: dw.inputs[1]!, weight: dw }),
    atPoints: (dw, filter) => {
      const [x, dy] = dw.inputs;
      const products = matmul(
        transposeLast(toPoints(filter.result, dy!, filter)),
        toPoints(filter.image, x!, filter),
      );
      return reshape(matmul(transposeLast(reshape(products, [POINTS, -1])), filter.weight), dw.shape);
    },
  },
};

/** The constant matrices of a convolution: each leads to the points, its transpose back. */
interface Filter {
  readonly block: number;
  /** [36·T, H·W] */
  readonly image: Tensor;
  /** [36·T, H′·W′] */
  readonly result: Tensor;
  /** [36, 9] */
  readonly weight: Tensor;
}

/** The matrices, or `undefined` where minimal filtering cannot be used or does not pay. */
function filterFor(
  { image, result, weight }: Roles,
  { attributes }: Tensor,
  block: number,
): Filter | undefined {
  if (image.shape.includes("batch")) return undefined;
  const [batch, channels, ...size] = image.shape as Sizes;
  const [, out, ...resultSize] = result.shape as Sizes;
  const { stride, padding, dilation, groups } = attributes as unknown as Record<string, Pair>;
  const plain = [stride, dilation, groups].flat().every((n) => n === 1);
  const divisible = channels % block === 0 && out % block === 0;
  if (!plain || !divisible || weight.shape.slice(2).some((taps) => taps !== TAPS)) return undefined;

  const tiles = resultSize.reduce((n, length) => n * Math.ceil(length / TILE), 1);
  const [pixels, results] = [size, resultSize].map(([height, width]) => height * width) as [number, number];
  const direct = TAPS ** 2 * results * channels * out;
  const filtered = POINTS * tiles * (channels * out + channels * pixels + out * results);
  if (batch * tiles < LEAST_ROWS || direct < WORTH * filtered) return undefined;

  const matrices = winogradMatrices({ size, padding: padding!, taps: TAPS, tile: TILE });
  const tensor = (rows: Matrix) => constant(Float32Array.from(rows.flat()), [rows.length, rows[0]!.length]);
  return {
    block,
    image: tensor(matrices.image),
    result: tensor(matrices.result),
    weight: tensor(matrices.weight),
  };
}

/** [N, C, H, W] → [36, T·N, C]. */
function toPoints(matrix: Tensor, x: Tensor, { block }: Filter): Tensor {
  const [batch, channels, height, width] = x.shape as Sizes;
  const blocked = reshape(toBlocked(x, block), [batch, channels / block, height * width, block]);
  const pixels = reshape(transpose(blocked, [2, 0, 1, 3]), [height * width, batch * channels]);
  return reshape(matmul(matrix, pixels), [POINTS, -1, channels]);
}

/** [36, T·N, C] → [N, C, H, W]. */
function fromPoints(matrix: Tensor, points: Tensor, shape: Sizes, { block }: Filter): Tensor {
  const [batch, channels, height, width] = shape;
  const pixels = matmul(transposeLast(matrix), reshape(points, [-1, batch * channels]));
  const blocks = reshape(pixels, [height * width, batch, channels / block, block]);
  const blocked = reshape(transpose(blocks, [1, 2, 0, 3]), [batch, channels / block, height, width, block]);
  return fromBlocked(blocked);
}

/** [O, C, 3, 3] → [36, O, C]. */
function kernelPoints(weight: Tensor, { weight: matrix }: Filter): Tensor {
  const [out, channels] = weight.shape as Sizes;
  const taps = transposeLast(reshape(weight, [out * channels, TAPS ** 2]));
  return reshape(matmul(matrix, taps), [POINTS, out, channels]);
}
