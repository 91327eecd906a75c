import type { Target } from "./types.js";

/** What rewrites know of the place where a graph is to run. */
export interface Machine {
  readonly target: Target;
  /** Channels in a block of ONNX Runtime's blocked layout for CPUs; 0 where it has none. */
  readonly block: number;
  readonly profile: MachineProfile;
}

/** By what numbers rewrites decide what pays on a kind of machine. They were found by measuring. */
export interface MachineProfile {
  /** What the machines have in common, such as their instruction set. */
  readonly name: string;
  /** By which the plans of mixtures are priced; absent where nothing was measured. */
  readonly plans?: PlanCoefficients;
  readonly winograd: WinogradProfile;
  readonly mixedKernels: MixedKernelsProfile;
}

/** When 3×3 convolutions are filtered at Winograd's points. */
export interface WinogradProfile {
  /** How many times fewer multiply-adds are worth it: products run at less than a blocked convolution's pace. */
  readonly leastSaving: number;
  /** Rows of a product, tiles times images, below which it is the kernels' points that take the time. */
  readonly leastRows: number;
  /** Images whose points are taken together: more are no faster, and points take two to three times their memory. */
  readonly imagesAtOnce: number;
}

/** How kernels are mixed for each sample. */
export interface MixedKernelsProfile {
  /** Bytes of kernels that are mixed before they are used: as many as stay in the processor's cache meanwhile. */
  readonly bytesAtOnce: number;
  /** Parts of a batch that are mixed apart, at most: each takes a session longer to open. */
  readonly mostParts: number;
}

/** Kinds of work that take time of their own: what a node has to do is counted by kind. */
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

/** Milliseconds of a unit of work of each kind. */
export type PlanCoefficients = Readonly<Record<WorkKind, number>>;
