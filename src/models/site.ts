/** What a convolution is in its network: the part that it plays, by which policies choose. */
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
 * The place of a convolution in a network. Every convolution of a network is made from its site by one function, which
 * decides whether it is dynamic.
 */
export interface ConvolutionSite {
  readonly role: SiteRole;
  /** Stage of the network, from 1; 0 is the stem. */
  readonly stage: number;
  /** Block within the stage, from 1; 0 outside of blocks. */
  readonly block: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly groups: number;
}

/** Says of each convolution whether it is dynamic; it is not asked about the classifier. */
export type SitePredicate = (site: ConvolutionSite) => boolean;

/** Which convolutions are dynamic, by the name of a rule that papers use. */
export const SITE_POLICIES = {
  /** All within blocks; stem, downsampling shortcuts and the last 1×1 are static: ODConv in ResNets. */
  blocks: ({ role }) => role !== "stem" && role !== "downsample" && role !== "last",
  /** Blocks and downsampling shortcuts: the tables of later papers for dynamic convolution in ResNets. */
  "blocks-and-downsample": ({ role }) => role !== "stem" && role !== "last",
  /** All but the stem: ODConv in MobileNetV2. */
  "all-but-stem": ({ role }) => role !== "stem",
  /** 1×1 convolutions of blocks that expand: DCD in MobileNetV2. */
  pointwise: ({ role, stage }) => (role === "expand" || role === "project") && stage > 1,
  /** Every convolution. */
  all: () => true,
} as const satisfies Readonly<Record<string, SitePredicate>>;

/** One of {@link SITE_POLICIES}. */
export type SitePolicy = keyof typeof SITE_POLICIES;

/** How a convolution is laid over the image: padding keeps its size at stride 1. */
export function convolutionOptions({ kernelSize, stride, groups }: ConvolutionSite) {
  return { stride, groups, padding: (kernelSize - 1) / 2 };
}

/** The site of a network's classifier, which maps a vector of features. */
export function classifierSite(inChannels: number, classes: number): ConvolutionSite {
  const place = { role: "classifier", stage: 0, block: 0 } as const;
  return { ...place, inChannels, outChannels: classes, kernelSize: 1, stride: 1, groups: 1 };
}
