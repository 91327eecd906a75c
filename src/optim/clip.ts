import { UsageError } from "../errors/index.js";
import type { Tensor } from "../ir/index.js";
import { add, div, minimum, mul, sqrt, sumSquares } from "../ops/index.js";

/** Keeps the quotient finite if all gradients are zero, as in PyTorch. */
const EPSILON = 1e-6;

/** Clipped gradients and their norm before clipping. */
export interface ClippedGradients {
  readonly gradients: Readonly<Record<string, Tensor>>;
  /** √Σ g² over all elements of all gradients before clipping, a scalar. */
  readonly norm: Tensor;
}

/**
 * Scales gradients so that their global norm is at most `maxNorm`: g ← g · min(1, maxNorm / (‖g‖ + 10⁻⁶)),
 * where ‖g‖ is over all gradients together. PyTorch's `clip_grad_norm_`.
 *
 * Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1.
 *
 * @param gradients by parameter name
 * @throws UsageError unless `maxNorm` is a positive number
 */
export function clipByGlobalNorm(
  gradients: Readonly<Record<string, Tensor>>,
  maxNorm: number,
): ClippedGradients {
  if (!(maxNorm > 0)) throw new UsageError(`maxNorm must be above 0, not ${maxNorm}`);
  const squares = Object.values(gradients).map((gradient) => sumSquares(gradient));
  if (squares.length === 0) throw new UsageError("there are no gradients to clip");
  const norm = sqrt(squares.reduce((sum, square) => add(sum, square)));
  const factor = minimum(div(maxNorm, add(norm, EPSILON)), 1);
  return {
    gradients: Object.fromEntries(
      Object.entries(gradients).map(([name, gradient]) => [name, mul(gradient, factor)]),
    ),
    norm,
  };
}
