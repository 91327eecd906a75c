import type { Tensor } from "../ir/index.js";
import { type ConvolutionAttributes, type Pair, pad, slice } from "../ops/index.js";
import { fractionInside, type Windows } from "../ops/window.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

/**
 * Leaves out the outer taps of a kernel that meet only padding: over a single pixel, a 3×3 convolution with padding 1 is a
 * 1×1 convolution with the central tap. As many taps go on both sides, so that all sizes stay.
 */
export const centralTaps = {
  name: "central-taps",
  sentence: "leaves out taps of kernels that meet only padding",
  stage: "machine",
  graphs: ["training", "evaluation"],
  apply: (graph) => transformGraph(graph, cropped),
} as const satisfies MachineRewrite;

function cropped(node: Tensor): Tensor | undefined {
  const { slides } = node.operator;
  if (slides === undefined) return undefined;
  const { stride, padding, dilation } = node.attributes as ConvolutionAttributes;
  const sizeOf = (place: number | "output") =>
    (place === "output" ? node : node.inputs[place]!).shape.slice(-2) as number[];
  const [image, taps, windows] = [slides.image, slides.kernel, slides.windows].map(sizeOf);
  const margins = [0, 1].map((i) => {
    const sizes = { image: image![i]!, taps: taps![i]!, windows: windows![i]! };
    return marginOf({ ...sizes, stride: stride[i]!, padding: padding[i]!, dilation: dilation[i]! });
  });
  if (margins.every((margin) => margin === 0)) return undefined;

  const kernel = taps!.map((count, i) => count - 2 * margins[i]!) as unknown as Pair;
  const inner = padding.map((zeros, i) => zeros - margins[i]! * dilation[i]!) as unknown as Pair;
  const crop = (x: Tensor) =>
    margins.reduce((part, start, i) => slice(part, { axis: i - 2, start, end: start + kernel[i]! }), x);
  const result = node.with({
    inputs: node.inputs.map((input, i) => (i === slides.kernel ? crop(input) : input)),
    attributes: { padding: inner, ...(slides.kernel === "output" && { kernel }) },
  });
  if (slides.kernel !== "output") return result;
  return margins.reduce(
    (whole, zeros, i) => pad(whole, { axis: i - 2, before: zeros, after: zeros }),
    result,
  );
}

/** The taps on each side that meet only padding, at most so many that one is left and no padding is negative. */
function marginOf(along: Windows): number {
  const { taps, padding, dilation } = along;
  const isOutside = (tap: number) => fractionInside(tap, along) === 0;
  let margin = 0;
  while (
    2 * (margin + 1) < taps &&
    (margin + 1) * dilation <= padding &&
    isOutside(margin) &&
    isOutside(taps - 1 - margin)
  ) {
    margin++;
  }
  return margin;
}
