import { expectWhole, expectWithin } from "../errors/expect.js";
import { ShapeError } from "../errors/index.js";
import { formatType, sameType, type Tensor } from "../ir/index.js";
import {
  add,
  cast,
  constant,
  constantData,
  equal,
  greater,
  greaterEqual,
  logSigmoid,
  logSoftmax,
  mean,
  mul,
  neg,
  reshape,
  sub,
  sum,
  where,
} from "../ops/index.js";

/** One-hot targets: [B] int64 → [B, classes] bool; all false for an invalid label. */
function isTarget(target: Tensor, classes: number): Tensor {
  const labels = constant(BigInt64Array.from({ length: classes }, (_, i) => BigInt(i)));
  return equal(reshape(target, [target.shape[0]!, 1]), labels);
}

function classCount(operator: string, logits: Tensor, target: Tensor): number {
  const [batch, classes] = logits.shape;
  const fits = logits.shape.length === 2 && target.shape.length === 1 && target.shape[0] === batch;
  const typed = logits.dtype === "float32" && target.dtype === "int64";
  if (!fits || !typed || typeof classes !== "number") {
    throw new ShapeError(
      operator,
      "float32 logits [B, classes] and int64 target [B]",
      `${formatType(logits)} and ${formatType(target)}`,
    );
  }
  const known = constantData(target) ?? new BigInt64Array();
  const stray = (known as BigInt64Array).find((label) => label < 0n || label >= BigInt(classes));
  if (stray !== undefined) {
    throw new ShapeError(operator, `targets from 0 to ${classes - 1}`, `${stray}`);
  }
  return classes;
}

/** 1 for each sample with a valid label, else 0: [B]. */
function ownCount(isOwn: Tensor): Tensor {
  return sum(cast(isOwn, "float32"), { axes: [1] });
}

/** The target's entry of each row: [B, classes] → [B]. Other entries are ignored, even if not finite. */
function pick(values: Tensor, isOwn: Tensor): Tensor {
  return sum(where(isOwn, values, 0), { axes: [1] });
}

/**
 * Label-smoothed cross entropy per sample, Szegedy et al. 2016 in PyTorch's convention:
 * (1 − ε)·(−log p_target) + ε/classes · Σ_c (−log p_c).
 *
 * A logit of −∞ rules its class out: the loss stays exact, and is ∞ if that class is the target or labels are smoothed.
 * An invalid target gives NaN, so that it does not go unnoticed.
 *
 * @param logits [B, classes]
 * @param target int64 [B]
 * @param options `labelSmoothing` ε, 0 ≤ ε < 1; defaults to 0
 * @returns [B]
 * @throws ShapeError for constant targets that are not a class
 */
export function crossEntropyPerSample(
  logits: Tensor,
  target: Tensor,
  { labelSmoothing = 0 }: { readonly labelSmoothing?: number } = {},
): Tensor<"float32"> {
  expectWithin("crossEntropy: label smoothing", labelSmoothing, { from: 0, below: 1 });
  const classes = classCount("crossEntropy", logits, target);
  const isOwn = isTarget(target, classes);
  const logProbabilities = logSoftmax(logits, 1);
  const own = neg(pick(logProbabilities, isOwn));
  const spread = () => mul(sum(logProbabilities, { axes: [1] }), -labelSmoothing / classes);
  const loss = labelSmoothing === 0 ? own : add(mul(own, 1 - labelSmoothing), spread());
  return cast(where(greater(ownCount(isOwn), 0), loss, Number.NaN), "float32");
}

/** Mean of {@link crossEntropyPerSample} over the batch, a scalar. */
export function crossEntropy(
  logits: Tensor,
  target: Tensor,
  options: { readonly labelSmoothing?: number } = {},
): Tensor<"float32"> {
  return cast(mean(crossEntropyPerSample(logits, target, options)), "float32");
}

/**
 * Binary cross entropy of sigmoid(x) and a target t, as PyTorch's `binary_cross_entropy_with_logits`: the mean over all
 * elements of −t·log σ(x) − (1 − t)·log σ(−x). Accurate for logits of any size.
 *
 * @param logits float32 of any shape
 * @param target float32 of the same shape, between 0 and 1
 * @returns a scalar
 */
export function binaryCrossEntropyWithLogits(logits: Tensor, target: Tensor): Tensor<"float32"> {
  if (logits.dtype !== "float32" || !sameType(logits, target)) {
    throw new ShapeError(
      "binaryCrossEntropyWithLogits",
      "float32 logits and float32 targets of the same shape",
      `${formatType(logits)} and ${formatType(target)}`,
    );
  }
  const positive = mul(target, logSigmoid(logits));
  const negative = mul(sub(1, target), logSigmoid(neg(logits)));
  return cast(neg(mean(add(positive, negative))), "float32");
}

/**
 * 1 for each sample whose target is among the k largest logits, else 0. Ties count in the target's favour. NaN ranks
 * above every number, as in PyTorch, but is never a hit itself; nor is an invalid target.
 *
 * @param k at least 1; defaults to 1
 * @returns float32 [B]
 */
export function topKHits(logits: Tensor, target: Tensor, k = 1): Tensor<"float32"> {
  expectWhole("topKHits: k", k);
  const classes = classCount("topKHits", logits, target);
  const isOwn = isTarget(target, classes);
  const own = reshape(pick(logits, isOwn), [logits.shape[0]!, 1]);
  // Counts the target itself, unless it is NaN, for which no comparison holds.
  const notAbove = sum(cast(greaterEqual(own, logits), "float32"), { axes: [1] });
  const isHit = cast(greaterEqual(notAbove, Math.max(1, classes - k + 1)), "float32");
  return cast(mul(isHit, ownCount(isOwn)), "float32");
}
