import { z } from "zod";
import { UsageError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  type ForwardContext,
  Linear,
  Module,
  Parameter,
  zerosInit,
} from "../../nn/index.js";
import { add, channelAffine, constant, reshape } from "../../ops/index.js";
import { type Convolutions, makeConvolutions, type NetworkKind } from "../convolutions.js";
import type { DynamicChoice } from "../dynamic-choice.js";
import { defineModel, type ModelEntry } from "../entry.js";
import { dynamicChoice, networkOptions } from "../network-options.js";
import type { ConvolutionSite } from "../site.js";
import { OPERATORS, padded, type Value, windowPads } from "./imported-operators.js";

/** A node of an imported network. */
export interface ImportedNode {
  /** ONNX operator. */
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, number | string | readonly number[]>>;
  /** Path of the layer, if the node is a layer with weights. */
  readonly layer?: string;
  /** Shape of its weight: [O, C / groups, kh, kw], [out, in], or [C] for batch normalisation. */
  readonly weight?: readonly number[];
  readonly bias?: boolean;
}

/** The values that an imported network reads for pixels p in 0 … 1: (p − mean) / std, per channel. */
export interface ImportedNormalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Name of a common way to normalise pixels. */
export type NormalizationName = "symmetric" | "imagenet" | "unit" | "bytes";

const alike = (value: number) => [value, value, value];

/** How pixels are commonly normalised, by name. */
export const NORMALIZATIONS: Readonly<Record<NormalizationName, ImportedNormalization>> = {
  /** −1 … 1, as dyconv's own networks read them. */
  symmetric: { mean: alike(0.5), std: alike(0.5) },
  /** By mean and deviation of ImageNet's channels, as torchvision and timm do. */
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  /** 0 … 1 */
  unit: { mean: alike(0), std: alike(1) },
  /** 0 … 255 */
  bytes: { mean: alike(0), std: alike(1 / 255) },
};

/** Description of a network without its weights, as JSON-compatible values. */
export interface ImportedNetwork {
  readonly name: string;
  /** Height and width of its images. */
  readonly imageSize: number;
  readonly classes: number;
  /** What it was trained on. Defaults to `NORMALIZATIONS.symmetric`. */
  readonly normalization?: ImportedNormalization;
  readonly input: string;
  readonly output: string;
  readonly nodes: readonly ImportedNode[];
  /** Shapes of trained tensors outside layers, by name. */
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  /** Constant numbers, such as shapes and factors. */
  readonly constants: Readonly<
    Record<string, { readonly values: readonly number[]; readonly scalar: boolean }>
  >;
}

/** Operators that become layers: those with weights, or with a different behaviour in training. */
export const LAYERS: readonly string[] = ["Conv", "BatchNormalization", "Gemm", "Dropout"];

const KIND: NetworkKind = {
  policies: {
    dyconv: "all-but-stem",
    condconv: "all-but-stem",
    odconv: "all-but-stem",
    dcd: "all-but-stem",
    fdconv: "all-but-stem",
    "kernel-warehouse": "all-but-stem",
  },
  dcd: "bottleneck",
  warehouses: {
    // Kernels with the same channels share cells, whatever their size.
    warehouseOf: ({ inChannels, outChannels, groups }) => `from${inChannels / groups}to${outChannels}`,
  },
};

/** The site of a convolution that keeps the image size at stride 1. Others stay static. */
function siteOf(node: ImportedNode, n: number): ConvolutionSite | undefined {
  const [out, inner, height, width] = node.weight as readonly [number, number, number, number];
  const list = (name: string, standard: readonly number[]) =>
    (node.attributes[name] ?? standard) as readonly number[];
  const [stride, pads] = [list("strides", [1, 1]), list("pads", [0, 0, 0, 0])];
  const auto = node.attributes.auto_pad ?? "NOTSET";
  const plain =
    height === width &&
    height % 2 === 1 &&
    stride[0] === stride[1] &&
    list("dilations", [1, 1]).every((dilation) => dilation === 1) &&
    (auto === "NOTSET" || (auto !== "VALID" && stride[0] === 1)) &&
    (auto !== "NOTSET" || pads.every((cells) => cells === (height - 1) / 2));
  if (!plain) return undefined;
  const groups = (node.attributes.group as number | undefined) ?? 1;
  const depthwise = groups > 1 && groups === out && inner === 1;
  return {
    role: n === 0 ? "stem" : depthwise ? "depthwise" : "convolution",
    ...{ stage: n === 0 ? 0 : 1, block: 0 },
    ...{ inChannels: inner * groups, outChannels: out, kernelSize: height, stride: stride[0]!, groups },
  };
}

/** Images whose pixels are −1 … 1, as a network reads them. */
function normalized(x: Tensor, normalization: ImportedNormalization | undefined): Tensor {
  if (normalization === undefined) return x;
  const { mean, std } = normalization;
  const scale = std.map((deviation) => 0.5 / deviation);
  const shift = mean.map((value, channel) => (0.5 - value) / std[channel]!);
  return channelAffine(x, constant(Float32Array.from(scale)), constant(Float32Array.from(shift)));
}

/**
 * A network created from an imported description. Its convolutions can be dynamic; its state names are the layers'
 * paths.
 */
export class Imported extends Module {
  readonly #network: ImportedNetwork;
  readonly #members: Record<string, Module | Parameter> = {};
  readonly #sites = new Map<ImportedNode, ConvolutionSite>();

  /** @throws UsageError if the chosen dynamic layer applies to none of the convolutions */
  constructor(network: ImportedNetwork, { classes = network.classes, dynamic }: ImportedOptions = {}) {
    super();
    this.#network = withClasses(network, classes);
    const { nodes, parameters } = this.#network;
    const convolutions = nodes.filter(({ op }) => op === "Conv");
    for (const [n, node] of convolutions.entries()) {
      const site = siteOf(node, n);
      if (site !== undefined) this.#sites.set(node, site);
    }
    const made = makeConvolutions([...this.#sites.values()], KIND, dynamic);
    if (made.warehouses !== undefined) this.#members.warehouses = made.warehouses;
    for (const node of nodes) {
      if (node.layer === undefined) continue;
      this.#members[node.layer] = this.#layerOf(node, made);
      // Not every dynamic layer has a bias.
      if (node.op === "Conv" && node.bias) {
        this.#members[`${node.layer}_bias`] = new Parameter([node.weight![0]!], zerosInit);
      }
    }
    for (const [name, shape] of Object.entries(parameters)) {
      this.#members[`parameters.${name}`] = new Parameter(shape, zerosInit);
    }
  }

  #layerOf(node: ImportedNode, { at }: Convolutions): Module {
    const { op, weight = [], bias = false, attributes } = node;
    if (op === "Dropout") return new Dropout((attributes.ratio as number | undefined) ?? 0.5);
    if (op === "BatchNormalization") {
      return new BatchNorm2d(weight[0]!, { epsilon: (attributes.epsilon as number | undefined) ?? 1e-5 });
    }
    if (op === "Gemm" || op === "MatMul") return new Linear(weight[1]!, weight[0]!, { bias });
    const site = this.#sites.get(node);
    if (site !== undefined) return at(site);
    const [out, inner, ...kernelSize] = weight as readonly [number, number, number, number];
    const pairs = { stride: attributes.strides ?? [1, 1], dilation: attributes.dilations ?? [1, 1] };
    const groups = (attributes.group as number | undefined) ?? 1;
    return new Conv2d(inner * groups, out, kernelSize, { ...(pairs as object), groups, bias: false });
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const { input, output, nodes, constants, normalization } = this.#network;
    const values = new Map<string, Value>([[input, normalized(x, normalization)]]);
    for (const [name, { values: sizes, scalar }] of Object.entries(constants))
      values.set(name, { sizes, scalar });
    for (const name of Object.keys(this.#network.parameters)) {
      values.set(name, context.read(this.#members[`parameters.${name}`] as Parameter));
    }
    for (const node of nodes) {
      const inputs = node.inputs.map((name) => (name === "" ? undefined : values.get(name)));
      values.set(
        node.output,
        node.layer === undefined
          ? OPERATORS[node.op]!(inputs, node)
          : this.#apply(node, inputs[0] as Tensor, context),
      );
    }
    return values.get(output) as Tensor;
  }

  #apply(node: ImportedNode, x: Tensor, context: ForwardContext): Tensor {
    const layer = this.#members[node.layer!] as Module;
    if (node.op === "BatchNormalization") {
      // Of features as well as of images: the layer takes images.
      const [batch, channels] = x.shape as [Tensor["shape"][number], number];
      return x.shape.length === 4
        ? layer.call(x, context)
        : reshape(layer.call(reshape(x, [batch, channels, -1, 1]), context), x.shape);
    }
    if (node.op !== "Conv") return layer.call(x, context);
    // Layers created from sites do their own padding.
    const image = this.#sites.has(node) ? x : padded(x, windowPads(x, node, node.weight!.slice(2)));
    const y = layer.call(image, context);
    if (!node.bias) return y;
    return add(y, reshape(context.read(this.#members[`${node.layer}_bias`] as Parameter), [-1, 1, 1]));
  }

  protected override properties(): readonly (readonly [string, unknown])[] {
    return Object.entries(this.#members);
  }
}

/** Options of {@link Imported}. */
export interface ImportedOptions {
  /** Number of classes. Defaults to that of the imported model. */
  readonly classes?: number;
  /** Which convolutions are dynamic, and how. Defaults to none. */
  readonly dynamic?: DynamicChoice | undefined;
}

/** The network with another number of classes: changes the outputs of its last layer with weights. */
function withClasses(network: ImportedNetwork, classes: number): ImportedNetwork {
  if (classes === network.classes) return network;
  const last = network.nodes.findLast(({ weight }) => weight !== undefined);
  if (last?.weight?.[0] !== network.classes) {
    throw new UsageError(
      `${network.name} has ${network.classes} classes, and its last layer cannot be changed to ${classes}`,
    );
  }
  const changed = { ...last, weight: [classes, ...last.weight.slice(1)] };
  const constants = Object.entries(network.constants).map(([name, constant]) => [
    name,
    { ...constant, values: constant.values.map((value) => (value === network.classes ? classes : value)) },
  ]);
  return {
    ...network,
    classes,
    nodes: network.nodes.map((node) => (node === last ? changed : node)),
    constants: Object.fromEntries(constants),
  };
}

/**
 * Defines an imported network that can be trained by name, with the options of dyconv's own networks.
 *
 * @example
 * export default defineImported(network); // a module that `dyconv import` writes
 */
export function defineImported(network: ImportedNetwork): ModelEntry {
  const { name, imageSize, classes } = network;
  return defineModel({
    ...{ name, imageSize, options: z.strictObject(networkOptions) },
    summary: `imported from ONNX, ${classes} classes`,
    create: ({ classes: wanted, ...options }) =>
      new Imported(network, { classes: wanted, dynamic: dynamicChoice(options) }),
  });
}
