import type { MaskRequest } from "../nn/index.js";
import { RandomStream } from "../util/random.js";

/** Dropout masks of one step, drawn from (seed, step, place). */
export function drawMasks(
  requests: readonly MaskRequest[],
  buffers: readonly Uint8Array[],
  seed: number,
  step: number,
): void {
  requests.forEach(({ keep }, place) => {
    const random = new RandomStream(seed, "dropout", step, place);
    const mask = buffers[place]!;
    for (let i = 0; i < mask.length; i++) mask[i] = random.uniform() < keep ? 1 : 0;
  });
}
