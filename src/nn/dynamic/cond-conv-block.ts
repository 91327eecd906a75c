import { UsageError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import { add } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { SiLU } from "../layers/activation.js";
import { BatchNorm2d, type BatchNormOptions } from "../layers/normalization.js";
import { Module } from "../module.js";
import { CondConv2d, type CondConv2dOptions, CondConvRouter } from "./cond-conv2d.js";

/** Options of {@link CondConvBlock}. */
export interface CondConvBlockOptions extends Pick<CondConv2dOptions, "experts" | "plan"> {
  /** Number of channels between expansion and projection. */
  readonly expandedChannels: number;
  /** Has an expansion. Defaults to whether `expandedChannels` differs from the input's channels. */
  readonly expand?: boolean;
  /** Kernel size of the depthwise convolution, odd. Defaults to 3. */
  readonly kernelSize?: number;
  /** Stride of the depthwise convolution. Defaults to 1. */
  readonly stride?: number;
  /** Padding of the depthwise convolution. Defaults to ⌊kernelSize / 2⌋, which keeps the size at stride 1. */
  readonly padding?: number;
  /** Adds the input to the output. Defaults to whether they have the same size. */
  readonly residual?: boolean;
  /** Adds a bias to the router. Defaults to `true`. */
  readonly routerBias?: boolean;
  /** Creates the activation after expansion and depthwise convolution. Defaults to `SiLU`. */
  readonly activation?: () => Module;
  /** Options of the batch normalisations. Defaults to momentum 0.1 and epsilon 1e-5. */
  readonly norm?: BatchNormOptions;
}

/**
 * Inverted residual block of three CondConvs with one router: [B, inChannels, H, W] → [B, outChannels, H′, W′]. The
 * router reads the block's input. Its weights mix the kernels of expansion, depthwise convolution and projection, each
 * followed by batch normalisation. There is no squeeze-and-excitation.
 *
 * Yang et al., "CondConv: Conditionally Parameterized Convolutions", NeurIPS 2019, section 3.2.
 */
export class CondConvBlock extends Module {
  readonly router: CondConvRouter;
  readonly expand: CondConv2d | undefined;
  readonly expandNorm: BatchNorm2d | undefined;
  readonly depthwise: CondConv2d;
  readonly depthwiseNorm: BatchNorm2d;
  readonly project: CondConv2d;
  readonly projectNorm: BatchNorm2d;
  readonly activation: Module;
  readonly #residual: boolean;

  /** @throws UsageError for invalid sizes, or a residual between different sizes */
  constructor(inChannels: number, outChannels: number, options: CondConvBlockOptions) {
    super();
    const { expandedChannels, experts = 4, kernelSize = 3, stride = 1, plan = "auto", norm = {} } = options;
    const {
      padding = Math.floor(kernelSize / 2),
      routerBias = true,
      activation = () => new SiLU(),
    } = options;
    const alike = stride === 1 && inChannels === outChannels;
    this.#residual = options.residual ?? alike;
    if (this.#residual && !alike) {
      throw new UsageError(
        `a residual from ${inChannels} to ${outChannels} channels with stride ${stride} is not possible`,
        { hint: "leave residual out" },
      );
    }
    const { expand = expandedChannels !== inChannels } = options;
    if (!expand && expandedChannels !== inChannels) {
      throw new UsageError(`without an expansion, ${inChannels} channels cannot become ${expandedChannels}`, {
        hint: "leave expand out",
      });
    }
    const shared = { experts, plan, router: "given", bias: false } as const;
    this.router = new CondConvRouter(inChannels, experts, { bias: routerBias });
    this.expand = expand ? new CondConv2d(inChannels, expandedChannels, 1, shared) : undefined;
    this.expandNorm = expand ? new BatchNorm2d(expandedChannels, norm) : undefined;
    const depthwise = { ...shared, stride, padding, groups: expandedChannels };
    this.depthwise = new CondConv2d(expandedChannels, expandedChannels, kernelSize, depthwise);
    this.depthwiseNorm = new BatchNorm2d(expandedChannels, norm);
    this.project = new CondConv2d(expandedChannels, outChannels, 1, shared);
    this.projectNorm = new BatchNorm2d(outChannels, norm);
    this.activation = activation();
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const routing = context.recordAttention("kernel", {
      values: this.router.call(x, context),
      activation: "sigmoid",
      axis: 1,
    });
    const wide = this.#expanded(x, context, routing);
    const filtered = this.depthwiseNorm.call(this.depthwise.call(wide, context, routing), context);
    const narrow = this.project.call(this.activation.call(filtered, context), context, routing);
    const y = this.projectNorm.call(narrow, context);
    return this.#residual ? add(x, y) : y;
  }

  #expanded(x: Tensor, context: ForwardContext, routing: Tensor): Tensor {
    if (this.expand === undefined || this.expandNorm === undefined) return x;
    const expanded = this.expandNorm.call(this.expand.call(x, context, routing), context);
    return this.activation.call(expanded, context);
  }
}
