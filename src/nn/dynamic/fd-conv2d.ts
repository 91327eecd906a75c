import { expectOdd, expectWhole } from "../../errors/expect.js";
import { UsageError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import {
  add,
  constant,
  conv2d,
  convolutionAttributes,
  gather,
  mul,
  type PerSamplePlan,
  perSampleConv2d,
  relu,
  reshape,
  sigmoid,
  transpose,
} from "../../ops/index.js";
import { elementCount } from "../../util/shape.js";
import type { ForwardContext } from "../context.js";
import { kaimingUniform, normalInit, onesInit, zerosInit } from "../initializers.js";
import { Conv2d, type Conv2dOptions, convolutionShape } from "../layers/convolution.js";
import { Linear } from "../layers/linear.js";
import { LayerNorm } from "../layers/normalization.js";
import { Module } from "../module.js";
import { type Initializer, Parameter } from "../parameter.js";
import { BANDS, type BandMasks, modulateBands } from "./band-modulation.js";
import { type PlainStart, type PlainWeights, type StartsPlain, setBias, zeroed } from "./plain-start.js";
import {
  expectGroups,
  frequencyGroups,
  inverseSpectrum,
  kernelSpectrum,
  type SpectrumSize,
  spectrumSize,
} from "./spectrum.js";
import {
  type BranchNormOptions,
  pooled,
  type SqueezedBranch,
  type SqueezeOptions,
  squeeze,
  squeezedBranch,
  squeezedWidth,
} from "./squeezed-branch.js";

/** Standard deviation of initial values small enough to have no effect. */
const NEARLY_ZERO = 1e-6;

/** Options of {@link FDConv2d}. */
export interface FDConv2dOptions extends Omit<Conv2dOptions, "groups">, SqueezeOptions {
  /** Number of groups of the spectrum's entries, G. Defaults to 64. */
  readonly frequencyGroups?: number;
  /**
   * The group of each entry of the spectrum, in row-major order, such as another library's. Defaults to grouping by
   * frequency.
   */
  readonly frequencyGroup?: ArrayLike<number>;
  /** Width of the local branch's convolution along the channels, odd. Defaults to 2·⌊round(log₂(C)/2 + ½)/2⌋ + 1. */
  readonly localWidth?: number;
  /** How masks of the band modulation are built. Defaults to `"exact"`. */
  readonly bandMasks?: BandMasks;
  /**
   * Options of the global branch's normalisation. Defaults to batch normalisation with momentum 0.1 and epsilon 1e-5.
   */
  readonly branchNorm?: BranchNormOptions;
  /** How the per-sample convolutions and their gradients are computed. Defaults to the fastest, as predicted. */
  readonly plan?: PerSamplePlan | "auto";
}

/** The global branch: h = scale·ReLU(norm(F·s))² + shift, and the layer's heads. */
export interface FDBranch extends SqueezedBranch {
  /** p and q, [1] each. */
  readonly star: { readonly scale: Parameter; readonly shift: Parameter };
  /** [inChannels, width] */
  readonly channel: Linear;
  /** [outChannels, width] */
  readonly filter: Linear;
  /** [k·k, width], taps in row-major order */
  readonly spatial: Linear | undefined;
  /** [G, width] */
  readonly group: Linear;
}

/** The local branch. */
export interface FDLocal {
  /** Normalises s over its channels. */
  readonly norm: LayerNorm;
  /** weight [outChannels·k·k, 1, localWidth] */
  readonly conv: { readonly weight: Parameter };
}

/** Whether the released code makes a convolution dynamic: 1×1 or 3×3, with more than 16 input and output channels. */
export function suitsFDConv(inChannels: number, outChannels: number, kernelSize: number): boolean {
  return (kernelSize === 1 || kernelSize === 3) && Math.min(inChannels, outChannels) > 16;
}

/**
 * Frequency dynamic convolution: [B, inChannels, H, W] → [B, outChannels, H′, W′]. With F⁻¹ the inverse Fourier
 * transform and S the kernel's spectrum, whose entries are split into G groups γ of increasing frequency,
 *
 *     kernel = F⁻¹(a_g,γ·⌊min(C, O)/2⌋·G ⊙ S) ⊙ a_s ⊙ a_c ⊙ a_f ⊙ local,   y = kernel ∗ x̂ + b.
 *
 * - Global branch: h = Star(norm(F·s)), s the mean of x and Star(z) = p·ReLU(z)² + q; heads a_c [C], a_f [O] and, for
 *   k > 1, a_s [k, k] are 2σ(·), a_g [G] is 2σ(·)/G.
 * - Local branch: one factor per weight, 2σ of a convolution of LayerNorm(s) along the channels.
 * - For k = 3, x̂ = Σ_b 2σ(conv_b(x)) ⊙ (low_{b−1} − low_b) + low_3, where low_b keeps frequencies below ¼, up to ⅛ and up
 *   to 1/16; otherwise x̂ = x. The branches read x.
 *
 * Attention is recorded as `channel`, `filter`, `spatial`, `group`, `local` and `band`. With batch size 1 in training,
 * the branch's batch normalisation uses its running statistics.
 *
 * Chen et al., "Frequency Dynamic Convolution for Dense Image Prediction", CVPR 2025, equations 2 to 8, as in the
 * released code, with two differences. Entries of equal frequency are ordered by position, where that code uses an
 * unstable sort. And the head of a_f is initialized like the others, so that the layer starts as a plain convolution; a
 * bug in that code leaves it at N(0, √(2 / fan_out)).
 *
 * The spectrum is initialized from that of a kernel from U(±1/√fan_in), heads and band convolutions from N(0, 10⁻⁶),
 * local weights with 10⁻⁶. At the neutral point, all of these except the spectrum are 0: the layer is the plain
 * convolution whose kernel has this spectrum.
 *
 * @example
 * const layer = new FDConv2d(64, 128, 3, { padding: 1 });
 */
export class FDConv2d extends Module implements StartsPlain {
  /** S [O·k, ⌊C·k/2⌋ + 1, 2], real and imaginary parts, divided by ⌊min(C, O)/2⌋ */
  readonly spectrum: Parameter;
  /** [outChannels] */
  readonly bias: Parameter | undefined;
  readonly branch: FDBranch;
  readonly local: FDLocal;
  /** One single-channel convolution per cut-off ¼, ⅛ and 1/16; only for 3×3 kernels. */
  readonly bands: readonly Conv2d[];
  readonly #shape: readonly [out: number, inner: number, kernel: number];
  readonly #size: SpectrumSize;
  readonly #groupCount: number;
  #table: Uint32Array | undefined;
  readonly #options: FDConv2dOptions;

  /**
   * @param inChannels channels of the input, C
   * @param outChannels channels of the output, O
   * @param kernelSize k, the height and width of the kernel; the paper uses 1 and 3
   * @param options `frequencyGroups` defaults to 64, `ratio` to 16, `minWidth` to 16, `stride` to 1, `padding` to 0,
   * `dilation` to 1 and `bias` to true; `groups` is not supported
   * @throws UsageError for a single channel, or frequency groups that do not divide the spectrum
   */
  constructor(inChannels: number, outChannels: number, kernelSize: number, options: FDConv2dOptions = {}) {
    super();
    const { frequencyGroups: groups = 64, localWidth = defaultWidth(inChannels), bias = true } = options;
    const shape = convolutionShape({ inChannels, outChannels, kernelSize }, { ...options, groups: 1 });
    expectSizes({ inChannels, outChannels, groups, localWidth }, options);
    const taps = kernelSize * kernelSize;
    const width = squeezedWidth(inChannels, options);
    const head = (outputs: number) => new Linear(width, outputs, { init: normalInit(NEARLY_ZERO) });
    this.#shape = [outChannels, inChannels, kernelSize];
    this.#size = spectrumSize(outChannels, inChannels, kernelSize);
    this.#groupCount = groups;
    this.#table = givenGroups(options.frequencyGroup, this.#size, groups);
    if (this.#table === undefined) expectGroups(this.#size, groups);
    this.#options = options;
    this.spectrum = new Parameter([this.#size.rows, this.#size.columns, 2], spectrumOf(shape));
    this.bias = bias ? new Parameter([outChannels], zerosInit) : undefined;
    this.branch = {
      ...squeezedBranch(inChannels, width, options.branchNorm),
      star: { scale: new Parameter([1], onesInit), shift: new Parameter([1], zerosInit) },
      channel: head(inChannels),
      filter: head(outChannels),
      spatial: taps === 1 ? undefined : head(taps),
      group: head(groups),
    };
    this.local = {
      norm: new LayerNorm(inChannels),
      conv: { weight: new Parameter([outChannels * taps, 1, localWidth], constantInit(NEARLY_ZERO)) },
    };
    this.bands = Array.from({ length: kernelSize === 3 ? BANDS : 0 }, () => {
      const band = new Conv2d(inChannels, 1, 3, { padding: 1 });
      band.weight = new Parameter(band.weight.shape, normalInit(NEARLY_ZERO));
      return band;
    });
  }

  /** Made when it is first needed: sorting the entries of a large kernel takes a while. */
  get #groups(): Uint32Array {
    this.#table ??= frequencyGroups(this.#size, this.#groupCount);
    return this.#table;
  }

  get plainShape(): readonly number[] {
    const [out, inner, kernel] = this.#shape;
    return [out, inner, kernel, kernel];
  }

  /** Sets the kernel's spectrum and zeros everything else. */
  startPlain({ weight, bias }: PlainWeights, start: PlainStart): void {
    const { channel, filter, spatial, group } = this.branch;
    start.values(this.spectrum).set(kernelSpectrum(weight, this.plainShape));
    zeroed([channel, filter, spatial, group, this.local.conv, ...this.bands], start);
    setBias(this.bias, bias, start);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const {
      bandMasks: masks = "exact",
      plan = "auto",
      stride = 1,
      padding = 0,
      dilation = 1,
    } = this.#options;
    const { channel, filter, spatial, group } = this.branch;
    const h = squeeze(this.branch, x, context, (z) => this.#star(z, context));
    const head = (kind: string, map: Linear, scale = 2) =>
      recorded(kind, mul(sigmoid(map.call(h, context)), scale), context);
    const ofChannels = head("channel", channel);
    const ofFilters = head("filter", filter);
    const ofTaps = spatial && this.#overTaps(mul(sigmoid(spatial.call(h, context)), 2), context);
    const ofGroups = head("group", group, 2 / group.weight.shape[0]!);
    const local = this.#local(x, context);
    const [batch] = x.shape;
    const [out, inner, kernel] = this.#shape;
    const perChannel = reshape(ofChannels, [batch!, 1, inner, 1, 1]);
    const seen = ofTaps ? mul(perChannel, reshape(ofTaps, [batch!, 1, 1, kernel, kernel])) : perChannel;
    const filters = reshape(ofFilters, [batch!, out, 1, 1, 1]);
    const kernels = mul(mul(this.#kernels(ofGroups, context), mul(local, filters)), seen);
    const image =
      this.bands.length === 0
        ? x
        : modulateBands(x, this.bands, context, {
            masks,
            record: (weights) => recorded("band", weights, context),
          });
    const y = perSampleConv2d(image, kernels, undefined, { stride, padding, dilation, plan });
    return this.bias ? add(y, reshape(context.read(this.bias), [-1, 1, 1])) : y;
  }

  #star(z: Tensor, context: ForwardContext): Tensor {
    const { scale, shift } = this.branch.star;
    const positive = relu(z);
    return add(mul(mul(positive, positive), context.read(scale)), context.read(shift));
  }

  /** [B, k·k] → [B, k, k] */
  #overTaps(weights: Tensor, context: ForwardContext): Tensor {
    const kernel = this.#shape[2];
    return recorded("spatial", reshape(weights, [weights.shape[0]!, kernel, kernel]), context);
  }

  /** a_g [B, G] → [B, O, C, k, k]. */
  #kernels(ofGroups: Tensor, context: ForwardContext): Tensor {
    const { rows, columns } = this.#size;
    const [out, inner, kernel] = this.#shape;
    const [batch, groups] = ofGroups.shape as readonly number[];
    // In the order of the transform: by column, then by row.
    const ofEntry = this.#groups;
    const places = BigInt64Array.from({ length: rows * columns }, (_, i) =>
      BigInt(ofEntry[(i % rows) * columns + Math.floor(i / rows)]!),
    );
    const scales = mul(ofGroups, Math.floor(Math.min(out, inner) / 2) * groups!);
    const ofEntries = reshape(gather(scales, constant(places), 1), [batch!, columns, 1, rows]);
    const spectrum = transpose(context.read(this.spectrum), [1, 2, 0]);
    return inverseSpectrum(mul(spectrum, ofEntries), this.#size, kernel);
  }

  /** One factor per weight, [B, O, C, k, k]. */
  #local(x: Tensor, context: ForwardContext): Tensor {
    const [out, inner, kernel] = this.#shape;
    const [batch] = x.shape;
    const weight = context.read(this.local.conv.weight);
    const [rows, , width] = weight.shape as readonly number[];
    const s = this.local.norm.call(pooled(x), context);
    const logits = conv2d(
      reshape(s, [batch!, 1, 1, inner]),
      reshape(weight, [rows!, 1, 1, width!]),
      undefined,
      {
        padding: [0, (width! - 1) / 2],
      },
    );
    const byTap = reshape(logits, [batch!, out, kernel * kernel, inner]);
    const factors = mul(sigmoid(transpose(byTap, [0, 1, 3, 2])), 2);
    return recorded("local", reshape(factors, [batch!, out, inner, kernel, kernel]), context);
  }
}

function recorded(kind: string, values: Tensor, context: ForwardContext): Tensor {
  return context.recordAttention(kind, { values, activation: "other", axis: 1 });
}

/** Width of the local branch: 5 for 64 to 512 channels, 7 for 1024 and 2048. */
function defaultWidth(channels: number): number {
  return 2 * Math.floor(Math.round(Math.log2(channels) / 2 + 0.5) / 2) + 1;
}

function constantInit(value: number): Initializer {
  return (shape) => new Float32Array(elementCount(shape)).fill(value);
}

/** The spectrum of a kernel from U(±1/√fan_in). */
function spectrumOf(shape: readonly number[]): Initializer {
  return (_, random) => kernelSpectrum(kaimingUniform(shape, random), shape);
}

/** @throws UsageError for invalid sizes */
function expectSizes(
  sizes: Readonly<Record<"inChannels" | "outChannels" | "groups" | "localWidth", number>>,
  options: FDConv2dOptions,
): void {
  expectWhole("FDConv2d: inChannels", sizes.inChannels, 2);
  expectWhole("FDConv2d: outChannels", sizes.outChannels, 2);
  expectWhole("FDConv2d: frequencyGroups", sizes.groups);
  expectOdd("FDConv2d: localWidth", sizes.localWidth);
  const { groups } = convolutionAttributes(options);
  if (groups !== 1) {
    throw new UsageError(`FDConv2d: groups must be 1, not ${groups}`, {
      hint: "its spectrum spans all channels; use another dynamic layer, or a plain convolution",
    });
  }
}

/** @throws UsageError unless the table has a valid group for each entry */
function givenGroups(
  table: ArrayLike<number> | undefined,
  { rows, columns }: SpectrumSize,
  groups: number,
): Uint32Array | undefined {
  if (table === undefined) return undefined;
  const isGroup = (group: number) => Number.isInteger(group) && group >= 0 && group < groups;
  if (table.length === rows * columns && Array.from(table).every(isGroup)) return Uint32Array.from(table);
  throw new UsageError(
    `FDConv2d: frequencyGroup must hold ${rows}·${columns} groups from 0 to ${groups - 1}, not ${table.length} numbers`,
  );
}
