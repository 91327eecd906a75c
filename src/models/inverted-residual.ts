import type { Convolutions } from "./convolutions.js";
import type { ConvolutionSite, SiteRole } from "./site.js";
import type { WarehousePolicy } from "./warehouses.js";

/** Sites of an inverted residual. */
export interface BlockSites {
  /** Absent if the width does not change. */
  readonly expand: ConvolutionSite | undefined;
  readonly depthwise: ConvolutionSite;
  readonly project: ConvolutionSite;
}

/** Sizes and position of an inverted residual. */
export interface BlockSizes {
  readonly stage: number;
  readonly block: number;
  readonly inChannels: number;
  /** Channels of the depthwise convolution. */
  readonly expandedChannels: number;
  readonly outChannels: number;
  /** Kernel size of the depthwise convolution. */
  readonly kernelSize: number;
  readonly stride: number;
}

/** Rounds channels to a multiple of 8, at most a tenth less: the rule of MobileNets. */
export function roundChannels(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

/** The sites of an inverted residual: 1×1 expansion, depthwise, 1×1 projection. */
export function blockSites(sizes: BlockSizes): BlockSites {
  const { stage, block, inChannels, expandedChannels, outChannels, kernelSize, stride } = sizes;
  const site = (role: SiteRole, from: number, to: number): ConvolutionSite => ({
    ...{ role, stage, block, inChannels: from, outChannels: to },
    ...{ kernelSize: 1, stride: 1, groups: 1 },
  });
  return {
    expand: expandedChannels === inChannels ? undefined : site("expand", inChannels, expandedChannels),
    depthwise: {
      ...site("depthwise", expandedChannels, expandedChannels),
      ...{ kernelSize, stride, groups: expandedChannels },
    },
    project: site("project", expandedChannels, outChannels),
  };
}

/** The convolutions of a block, in order. */
export function blockOrder({ expand, depthwise, project }: BlockSites): readonly ConvolutionSite[] {
  return expand ? [expand, depthwise, project] : [depthwise, project];
}

/** Whether a block's input can be added to its output. */
export function isResidual(block: BlockSites): boolean {
  const first = blockOrder(block)[0]!;
  return block.depthwise.stride === 1 && first.inChannels === block.project.outChannels;
}

/** The sites of a mobile network outside its blocks: the stem, and the 1×1 convolution before the pooling. */
export function outerSites(
  stem: Pick<ConvolutionSite, "outChannels" | "stride">,
  last: Pick<ConvolutionSite, "stage" | "inChannels" | "outChannels">,
) {
  const outside = { block: 0, groups: 1 };
  return {
    stem: { ...outside, role: "stem", stage: 0, inChannels: 3, kernelSize: 3, ...stem },
    last: { ...outside, role: "last", kernelSize: 1, stride: 1, ...last },
  } as const satisfies Readonly<Record<string, ConvolutionSite>>;
}

/** The router of a block, if one of its convolutions needs it. */
export function blockRouter(block: BlockSites, { routerOf }: Convolutions) {
  return routerOf(blockOrder(block));
}

/**
 * Used where nothing is published: blocks of a stage with the same inner width share one warehouse for each of their
 * parts. Kernels of different widths would need tiny cells, and attention over very many of them.
 */
export const EQUAL_WIDTHS: WarehousePolicy = {
  warehouseOf: ({ role, stage, inChannels, outChannels }) => {
    if (role !== "expand" && role !== "depthwise" && role !== "project") return role;
    return `${role}${stage}_${role === "project" ? inChannels : outChannels}`;
  },
};
