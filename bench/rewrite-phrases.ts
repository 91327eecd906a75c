import type { RewriteName } from "dyconv";

/** What each rewrite does, in a few words for a table. */
export const REWRITE_PHRASES: Readonly<Record<RewriteName, string>> = {
  "pool-first": "pools before batch normalisation and ReLU",
  "pixel-products": "multiplies matrices where a convolution sees a single pixel",
  "transposed-products": "transposes two small factors in place of their product",
  "scaled-products": "scales the smaller factor in place of the product",
  "needless-expansions": "leaves broadcasting to elementwise operators",
  "folded-batch-norms": "puts fixed batch normalisations into the kernels before them",
  "aggregated-gradients": "makes one of K convolutions in the gradient of a dynamic layer by its input",
  winograd: "multiplies at points where a 3×3 convolution is trained on small images",
  "blocked-convolutions": "convolves in ONNX Runtime's blocked layout",
  "keep-blocked": "stays in that layout from one convolution to the next",
  "affine-sums": "adds in the same pass as it scales and shifts",
  "fused-activations": "applies ReLU where its input is written",
  "folded-constants": "computes beforehand what depends on constants alone",
  "common-subexpressions": "computes once what is computed alike several times",
};
