import { ShapeError } from "../errors/index.js";
import { formatType, type Tensor } from "../ir/index.js";
import { type ConvolutionOptions, convolutionAttributes } from "./convolution.js";
import { expectLayout } from "./expect.js";
import { concat, pad, reshape, takeTap } from "./layout.js";
import { type PairOption, toPair, windowOutput } from "./window.js";

/** Options of {@link unfold2d}: those of a convolution except `groups`. */
export type WindowOptions = Omit<ConvolutionOptions, "groups">;

/**
 * Unfolds an image: what each window sees becomes channels. PyTorch's `unfold`, with positions kept as an image.
 *
 * @param x [B, C, H, W]; B may be open
 * @param kernelSize kh and kw, or one number for both
 * @returns [B, C·kh·kw, H′, W′], ordered by channel, then by tap in row-major order
 * @throws ShapeError for an image smaller than the window; UsageError for invalid options
 */
export function unfold2d(x: Tensor, kernelSize: PairOption, options: WindowOptions = {}): Tensor {
  expectLayout("unfold2d", x, "[B, C, H, W]");
  const kernel = toPair("kernelSize", kernelSize, 1);
  const { stride, padding, dilation } = convolutionAttributes(options);
  const size = [0, 1].map((i) =>
    windowOutput(x.shape[i + 2] as number, kernel[i]!, stride[i]!, padding[i]!, dilation[i]!),
  );
  if (size.some((n) => n < 1)) {
    throw new ShapeError(
      "unfold2d",
      "an image at least as large as the window",
      `${formatType(x)}, window ${kernel}`,
    );
  }
  const padded = [0, 1].reduce(
    (image, i) => pad(image, { axis: i + 2, before: padding[i]!, after: padding[i]! }),
    x,
  );
  const along = (image: Tensor, i: number, tap: number) =>
    takeTap(image, { axis: i + 2, start: tap * dilation[i]!, step: stride[i]!, count: size[i]! });
  const [batch, channels] = x.shape as readonly [number, number];
  const taps = Array.from({ length: kernel[0] }, (_, row) => along(padded, 0, row)).flatMap((rows) =>
    Array.from({ length: kernel[1] }, (_, column) =>
      reshape(along(rows, 1, column), [batch, channels, 1, ...size]),
    ),
  );
  return reshape(concat(taps, 2), [batch, channels * taps.length, ...size]);
}
