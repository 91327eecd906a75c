import type { Tensor, TensorData } from "../ir/index.js";
import type { Applied, RecordedAttention } from "../nn/index.js";
import { abs, add, concat, div, log, maximum, mean, mul, neg, sum } from "../ops/index.js";
import type { ExpertUse } from "../runs/expert-use.js";

/** Kinds of attention that weight experts of a mixed kernel. Others are gates of channels or positions. */
const KINDS: readonly string[] = ["kernel", "cell"];
/** Keeps quotient and logarithm finite if all weights of an image are 0. */
const TINY = 1e-20;

/** Sums of one layer's attention over images. */
interface Sums extends Pick<ExpertUse, "layer" | "kind"> {
  entropy: number;
  readonly shares: Float64Array;
  readonly squares: Float64Array;
}

/**
 * Measures how a network uses its experts, at little cost: per image and layer, the graph only returns the
 * entropy and the shares. Weights are normalized to sum to 1, negative ones by magnitude.
 */
export class ExpertUseMeter {
  readonly #layers: Sums[] = [];
  #images = 0;

  /** The tensors that the graph has to return: [B, 1 + experts] for each layer, in order. */
  tensors(attention: Applied["attention"]): readonly Tensor[] {
    const read: Tensor[] = [];
    for (const [layer, kinds] of Object.entries(attention)) {
      for (const [kind, recorded] of Object.entries(kinds)) {
        if (!KINDS.includes(kind)) continue;
        const experts = recorded.values.shape[recorded.axis] as number;
        const [shares, squares] = [new Float64Array(experts), new Float64Array(experts)];
        this.#layers.push({ layer, kind, entropy: 0, shares, squares });
        read.push(entropyAndShares(recorded));
      }
    }
    return read;
  }

  /**
   * Adds the graph's results for a batch.
   *
   * @param count number of real images in the batch; the rest is padding
   */
  add(given: readonly TensorData[], count: number): void {
    this.#images += count;
    for (const [i, layer] of this.#layers.entries()) {
      const experts = layer.shares.length;
      for (let b = 0; b < count; b++) {
        const row = b * (experts + 1);
        layer.entropy += Number(given[i]![row]);
        for (let k = 0; k < experts; k++) {
          const share = Number(given[i]![row + 1 + k]);
          layer.shares[k]! += share;
          layer.squares[k]! += share ** 2;
        }
      }
    }
  }

  /** One entry per layer, rounded to four digits. */
  result(): ExpertUse[] {
    const images = this.#images;
    return this.#layers.map(({ layer, kind, entropy, shares, squares }) => {
      const use = Array.from(shares, (total) => total / images);
      const deviations = use.map((share, k) => Math.sqrt(Math.max(0, squares[k]! / images - share ** 2)));
      const spread = deviations.reduce((total, value) => total + value, 0) / use.length;
      return {
        ...{ layer, kind, entropy: rounded(entropy / images), spread: rounded(spread) },
        use: use.map(rounded),
      };
    });
  }
}

const rounded = (value: number) => Number(value.toPrecision(4));

/**
 * [B, 1 + experts]: the entropy relative to its maximum, then each expert's share. Means over sets of
 * weights.
 */
function entropyAndShares({ values, axis }: RecordedAttention): Tensor {
  const along = { axes: [axis], keepDims: true };
  const sizes = abs(values);
  const shares = div(sizes, add(sum(sizes, along), TINY));
  const experts = values.shape[axis] as number;
  const nats = neg(sum(mul(shares, log(maximum(shares, TINY))), along));
  const most = experts > 1 ? Math.log(experts) : 1;
  const others = values.shape.flatMap((_, n) => (n === 0 || n === axis ? [] : [n]));
  const overSets = (x: Tensor) => (others.length === 0 ? x : mean(x, { axes: others }));
  return concat([overSets(mul(nats, 1 / most)), overSets(shares)], 1);
}
