import { prepareImages, resizeMatrix } from "../data/index.js";
import { applyModel } from "../nn/index.js";
import { constant, softmax } from "../ops/index.js";
import { compile, type RuntimeOptions } from "../runtime/index.js";
import { spec } from "../trace/index.js";
import { freeze } from "./freeze.js";
import type { OpenRun } from "./open-run.js";

/** A class and the probability a model gives it. */
export interface RankedClass {
  readonly label: string;
  /** 0 to 1. */
  readonly probability: number;
}

/**
 * Classifies images of one size.
 *
 * @param images uint8 pixels [count, 3, height, width]; resized to what the model takes
 * @param options `top`: classes an image, 5 by default
 * @returns for each image its most probable classes, best first
 */
export async function predict(
  run: OpenRun,
  { images, height, width }: { readonly images: Uint8Array; readonly height: number; readonly width: number },
  options: RuntimeOptions & { readonly top?: number } = {},
): Promise<RankedClass[][]> {
  const { top = 5, ...runtime } = options;
  const { model, state, imageSize, classes } = run;
  const count = images.length / (3 * height * width);
  const weights = freeze(model, state);
  const rows = constant(resizeMatrix(height, imageSize), [1, imageSize, height]);
  const columns = constant(resizeMatrix(width, imageSize), [1, imageSize, width]);
  const classify = await compile(
    (pixels) => softmax(applyModel(model, weights, prepareImages(pixels, rows, columns)).output, 1),
    [spec([count, 3, height, width], "uint8")],
    runtime,
  );
  const probabilities = (await classify(images)) as Float32Array;
  await classify.dispose();
  return Array.from({ length: count }, (_, i) =>
    classes
      .map((label, c) => ({ label, probability: probabilities[i * classes.length + c]! }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, top),
  );
}
