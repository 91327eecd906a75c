/** The role of a convolution in its network, by which policies choose. */
export type SiteRole =
  | "stem"
  | "convolution"
  | "expand"
  | "depthwise"
  | "project"
  | "downsample"
  | "last"
  | "classifier";

/**
 * The position and sizes of a convolution in a network. One function creates every convolution of a network from its
 * site and decides whether it is dynamic.
 */
export interface ConvolutionSite {
  readonly role: SiteRole;
  /** Stage of the network, from 1; 0 is the stem. */
  readonly stage: number;
  /** Block within the stage, from 1; 0 outside blocks. */
  readonly block: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly groups: number;
}

/** Decides for each convolution whether it is dynamic. Not called for the classifier. */
export type SitePredicate = (site: ConvolutionSite) => boolean;

/** Named rules from papers for which convolutions are dynamic. */
export const SITE_POLICIES = {
  /** All within blocks; stem, downsampling shortcuts and the last 1×1 convolution are static: ODConv in ResNets. */
  blocks: ({ role }) => role !== "stem" && role !== "downsample" && role !== "last",
  /** Blocks and downsampling shortcuts: dynamic convolution in ResNets in the tables of later papers. */
  "blocks-and-downsample": ({ role }) => role !== "stem" && role !== "last",
  /** All except the stem: ODConv in MobileNetV2. */
  "all-but-stem": ({ role }) => role !== "stem",
  /** 1×1 convolutions of blocks with an expansion: DCD in MobileNetV2. */
  pointwise: ({ role, stage }) => (role === "expand" || role === "project") && stage > 1,
  /** Every convolution. */
  all: () => true,
} as const satisfies Readonly<Record<string, SitePredicate>>;

/** One of {@link SITE_POLICIES}. */
export type SitePolicy = keyof typeof SITE_POLICIES;

/** Options of a convolution whose padding keeps the image size at stride 1. */
export function convolutionOptions({ kernelSize, stride, groups }: ConvolutionSite) {
  return { stride, groups, padding: (kernelSize - 1) / 2 };
}

/** The site of a network's classifier, which reads a feature vector. */
export function classifierSite(inChannels: number, classes: number): ConvolutionSite {
  const place = { role: "classifier", stage: 0, block: 0 } as const;
  return { ...place, inChannels, outChannels: classes, kernelSize: 1, stride: 1, groups: 1 };
}
