import type { Target } from "./types.js";

/** What rewrites know about the machine that a graph will run on. */
export interface Machine {
  readonly target: Target;
  /** Channels per block of ONNX Runtime's blocked CPU layout; 0 if it has none on this machine. */
  readonly block: number;
  /**
   * Whether the model must run on any device, which works around what one of them computes wrongly. Defaults to
   * `false`.
   */
  readonly portable?: boolean;
  readonly profile: MachineProfile;
}

/** Measured numbers by which rewrites decide what pays off on a kind of machine. */
export interface MachineProfile {
  /** What the machines have in common, such as their instruction set. */
  readonly name: string;
  /** Coefficients of the cost model for mixture plans; absent if nothing was measured. */
  readonly plans?: PlanCoefficients;
  readonly winograd: WinogradProfile;
  readonly mixedKernels: MixedKernelsProfile;
  readonly plainConvolutions: PlainConvolutionsProfile;
  readonly weightGradients: WeightGradientsProfile;
}

/** When 3×3 convolutions are computed by Winograd's algorithm. */
export interface WinogradProfile {
  /**
   * Smallest reduction in multiply-adds, as a factor, that pays off: matrix products are slower per multiply-add than a
   * blocked convolution.
   */
  readonly leastSaving: number;
  /** Fewest rows of a matrix product, tiles times images: below it, transforming the kernels dominates. */
  readonly leastRows: number;
  /** Images transformed together: more are no faster, and transformed images take two to three times the memory. */
  readonly imagesAtOnce: number;
}

/** How kernels are mixed per sample. */
export interface MixedKernelsProfile {
  /** Bytes of kernels to mix before they are used: as many as stay in the processor's cache. */
  readonly bytesAtOnce: number;
  /** Most parts to split a batch into for mixing: each adds to the time a session takes to open. */
  readonly mostParts: number;
  /**
   * Most bytes of the kernels of all samples that the plan `unfold` may mix at once. Of more, nothing stays in a cache, which
   * the prices do not know, and they would be most of the memory.
   */
  readonly mostBytes: number;
  /**
   * Most bytes of constants to copy for a batch normalisation that is folded into the kernels they are mixed to: layers that
   * share them would read a copy each, and larger ones no longer from a cache.
   */
  readonly mostCopied: number;
  /** Fewest floats side by side that one transposition of mixed kernels moves faster than several of one axis each. */
  readonly leastRun: number;
}

/** When a convolution stays in the plain layout, since its weights change at every step and would be converted each time. */
export interface PlainConvolutionsProfile {
  /** Most output pixels, of all images together. With more, the blocked layout gains what the conversion costs. */
  readonly mostPixels: number;
  /** Fewest weights. Fewer stay in a cache while they are converted. */
  readonly leastWeights: number;
  /** Most images, for the gradient with respect to the input: in the plain layout, each reads all weights. */
  readonly mostImages: number;
}

/** How convolutions compute the gradient with respect to their weight. */
export interface WeightGradientsProfile {
  /**
   * Most elements of a 1×1 convolution's weight, relative to those of an image of x and of y, for a product per image: each
   * product has the size of the weight.
   */
  readonly mostPartials: number;
  /** Most pixels of the gradient with respect to the output to convolve with at once; larger ones go row by row. */
  readonly mostPixels: number;
  /** Most copies of the image to go row by row: one for each row of the kernel. */
  readonly mostCopies: number;
}

/** Kinds of work in the cost model: each node's work is counted by kind. */
export const WORK_KINDS = [
  "blockedMultiplyAdds",
  "convolutionMultiplyAdds",
  "depthwiseMultiplyAdds",
  "fixedDepthwiseMultiplyAdds",
  "productMultiplyAdds",
  "operandBytes",
  "bytes",
  "movedBytes",
  "transposedBytes",
  "mixedBytes",
  "convolutionGroups",
  "products",
  "nodes",
] as const;

/** One of {@link WORK_KINDS}. */
export type WorkKind = (typeof WORK_KINDS)[number];

/** Milliseconds per unit of work of each kind. */
export type PlanCoefficients = Readonly<Record<WorkKind, number>>;
