import { ShapeError, UsageError } from "../errors/index.js";
import { formatType, type Tensor } from "../ir/index.js";
import {
  add,
  cast,
  constant,
  equal,
  greater,
  less,
  logSoftmax,
  mean,
  mul,
  neg,
  reshape,
  sum,
} from "../ops/index.js";

/** 1 at each sample's class, 0 elsewhere: [B] int64 → [B, classes] float32. */
function oneHot(target: Tensor, classes: number): Tensor {
  const labels = constant(BigInt64Array.from({ length: classes }, (_, i) => BigInt(i)));
  return cast(equal(reshape(target, [target.shape[0]!, 1]), labels), "float32");
}

function classCount(operator: string, logits: Tensor, target: Tensor): number {
  const [batch, classes] = logits.shape;
  const fits = logits.shape.length === 2 && target.shape.length === 1 && target.shape[0] === batch;
  if (!fits || target.dtype !== "int64" || typeof classes !== "number") {
    throw new ShapeError(
      operator,
      "float32 logits [B, classes] and int64 target [B]",
      `${formatType(logits)} and ${formatType(target)}`,
    );
  }
  return classes;
}

/**
 * Label-smoothed cross entropy of each sample, Szegedy et al. 2016 in PyTorch's convention:
 * (1 − ε)·(−log p_target) + ε/classes · Σ_c (−log p_c).
 *
 * @param logits [B, classes]
 * @param target int64 [B]
 * @param options `labelSmoothing` ε, 0 by default
 * @returns [B]
 */
export function crossEntropyPerSample(
  logits: Tensor,
  target: Tensor,
  { labelSmoothing = 0 }: { readonly labelSmoothing?: number } = {},
): Tensor {
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new UsageError(`label smoothing must be at least 0 and below 1, not ${labelSmoothing}`);
  }
  const classes = classCount("crossEntropy", logits, target);
  const weights = add(mul(oneHot(target, classes), 1 - labelSmoothing), labelSmoothing / classes);
  return neg(sum(mul(weights, logSoftmax(logits, 1)), { axes: [1] }));
}

/** Mean of {@link crossEntropyPerSample} over the batch, a scalar. */
export function crossEntropy(
  logits: Tensor,
  target: Tensor,
  options: { readonly labelSmoothing?: number } = {},
): Tensor {
  return mean(crossEntropyPerSample(logits, target, options));
}

/**
 * Whether the target is among the k largest logits, 1 or 0 a sample. Ties count in the target's favour.
 *
 * @returns float32 [B]
 */
export function topKHits(logits: Tensor, target: Tensor, k = 1): Tensor {
  const classes = classCount("topKHits", logits, target);
  const own = sum(mul(logits, oneHot(target, classes)), { axes: [1], keepDims: true });
  const above = sum(cast(greater(logits, own), "float32"), { axes: [1] });
  return cast(less(above, k), "float32");
}
