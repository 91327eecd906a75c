import { RandomStream } from "../util/random.js";
import type { PlanPoint } from "./plan-samples.js";

/** Options of {@link drawPlanPoints}. */
export interface PlanPointsOptions {
  readonly target: "cpu" | "wasm";
  readonly count: number;
  readonly seed: number;
  /**
   * Largest number of multiply-adds of a plan that computes every expert. Points with more are left out.
   * Defaults to 3e9, or 3e8 on WebAssembly.
   */
  readonly mostMultiplyAdds?: number;
}

const BATCHES = [1, 4, 8, 64];
const EXPERTS = [1, 2, 4, 8, 16];
const CHANNELS = [16, 32, 64, 128, 256, 512];
const SIZES = [4, 7, 14, 28, 56];
const MOST_MULTIPLY_ADDS = { cpu: 3e9, wasm: 3e8 };
/** Largest number of weights that differ by image or expert. */
const MOST_WEIGHTS = 2e7;

/**
 * Draws distinct points from the grid on which plans are judged: 16 to 512 channels, 1×1, 3×3 and depthwise,
 * images of 4 to 56 pixels, 1 to 16 experts, batch sizes of 1 to 64, training and evaluation.
 */
export function drawPlanPoints(options: PlanPointsOptions): readonly PlanPoint[] {
  const { target, count, seed, mostMultiplyAdds = MOST_MULTIPLY_ADDS[target] } = options;
  const shapes = CHANNELS.flatMap((inChannels) => [
    ...CHANNELS.flatMap((outChannels) =>
      [1, 3].map((kernel) => ({ inChannels, outChannels, kernel, groups: 1 })),
    ),
    { inChannels, outChannels: inChannels, kernel: 3, groups: inChannels },
  ]).filter(
    ({ inChannels, outChannels }) => Math.max(inChannels / outChannels, outChannels / inChannels) <= 4,
  );
  const grid = [false, true].flatMap((training) =>
    BATCHES.flatMap((batch) =>
      EXPERTS.flatMap((experts) =>
        SIZES.flatMap((size) => shapes.map((shape) => ({ training, batch, experts, size, ...shape }))),
      ),
    ),
  );
  const affordable = grid.filter(({ batch, experts, inChannels, outChannels, kernel, groups, size }) => {
    const weights = (outChannels * inChannels * kernel ** 2) / groups;
    const multiplyAdds = batch * experts * weights * size ** 2;
    return multiplyAdds <= mostMultiplyAdds && Math.max(experts, batch) * weights <= MOST_WEIGHTS;
  });
  // The grid has few depthwise convolutions, so every fifth point is one.
  const order = new RandomStream(seed, "plan points").permutation(affordable.length);
  const shuffled = Array.from(order, (i) => affordable[i]!);
  const depthwise = shuffled.filter(({ groups }) => groups > 1).slice(0, Math.round(count / 5));
  return [...depthwise, ...shuffled.filter(({ groups }) => groups === 1).slice(0, count - depthwise.length)];
}
