import { UsageError } from "../errors/index.js";
import {
  CondConv2d,
  CondConvRouter,
  Conv2d,
  DCDConv2d,
  DynamicConv2d,
  FDConv2d,
  type Module,
  ODConv2d,
  suitsFDConv,
} from "../nn/index.js";
import { dynamicClassifier, staticClassifier } from "./classifiers.js";
import type { DynamicChoice, DynamicLayer } from "./dynamic-choice.js";
import type { Routed } from "./routed.js";
import {
  type ConvolutionSite,
  convolutionOptions,
  SITE_POLICIES,
  type SitePolicy,
  type SitePredicate,
} from "./site.js";
import { fromWarehouses, type WarehousePolicy, type Warehouses } from "./warehouses.js";

/** What a network knows of itself that layers are made by. */
export interface NetworkKind {
  /** Policy of each layer where none is given. */
  readonly policies: Readonly<Record<DynamicLayer, SitePolicy | SitePredicate>>;
  /** By whose rule the widths of DCD are chosen. */
  readonly dcd: "basic" | "bottleneck" | "mobilenet";
  readonly warehouses: WarehousePolicy;
  /** Whether the classifier is dynamic as published. Defaults to `true` for DCD alone. */
  readonly classifier?: (choice: DynamicChoice) => boolean;
  /** Whether CondConv's routers have a bias. Defaults to `true`. */
  readonly routerBias?: boolean;
  /** Whether its convolutions have a bias, where the layer can have one. Defaults to `false`. */
  readonly bias?: boolean;
}

/** A network's convolutions by site, and what they share. */
export interface Convolutions {
  /** The module of a site; one that CondConv routes block by block takes the block's routing weights as well. */
  readonly at: (site: ConvolutionSite) => Routed;
  /** The router of a block, which reads the block's input; `undefined` where none of its convolutions needs one. */
  readonly routerOf: (block: readonly ConvolutionSite[]) => CondConvRouter | undefined;
  /** What a network keeps before its layers, so that shared cells have a name of their own. */
  readonly warehouses: Warehouses | undefined;
}

/**
 * Makes all convolutions of a network, and its classifier where that is among them.
 *
 * @param sites in the order in which they are registered: warehouses give away their cells in that order
 * @throws UsageError for a choice that no convolution of the network suits
 */
export function makeConvolutions(
  sites: readonly ConvolutionSite[],
  kind: NetworkKind,
  choice: DynamicChoice | undefined,
): Convolutions {
  const plain = (site: ConvolutionSite) => staticLayer(site, kind);
  if (choice === undefined) return { at: plain, routerOf: () => undefined, warehouses: undefined };
  const dynamic = new Set(sites.filter(chosenBy(choice, kind)));
  if (![...dynamic].some(({ role }) => role !== "classifier")) {
    throw new UsageError(`none of the network's convolutions is to be ${choice.layer}`, {
      hint: `choose others: ${Object.keys(SITE_POLICIES).join(", ")}`,
    });
  }
  if (choice.layer === "kernel-warehouse") {
    const { modules, warehouses } = fromWarehouses([...dynamic], kind.warehouses, choice);
    return { at: (site) => modules.get(site) ?? plain(site), routerOf: () => undefined, warehouses };
  }
  return {
    at: (site) => (dynamic.has(site) ? dynamicLayer(site, kind, choice) : plain(site)),
    routerOf: (block) =>
      block.some((site) => dynamic.has(site) && isRoutedByBlock(site, choice))
        ? new CondConvRouter(block[0]!.inChannels, choice.experts ?? DEFAULT_EXPERTS, routerOptions(kind))
        : undefined,
    warehouses: undefined,
  };
}

const DEFAULT_EXPERTS = 4;

/** Groups of frequencies of FDConv. */
const FREQUENCY_GROUPS = 64;

function chosenBy(choice: DynamicChoice, kind: NetworkKind): SitePredicate {
  const { layer, where = kind.policies[layer] } = choice;
  const chosen = typeof where === "string" ? SITE_POLICIES[where] : where;
  const published = kind.classifier ?? (() => layer === "dcd");
  const classifier = choice.classifier ?? published(choice);
  return (site) => (site.role === "classifier" ? classifier : chosen(site) && suits(layer, site));
}

/** FDConv is for kernels whose spectrum can be cut into equal groups; DCD's low rank for channels that are mixed. */
function suits(
  layer: DynamicLayer,
  { inChannels, outChannels, kernelSize, groups }: ConvolutionSite,
): boolean {
  if (layer === "dcd") return groups === 1;
  if (layer !== "fdconv") return true;
  const entries = outChannels * kernelSize * (Math.floor((inChannels * kernelSize) / 2) + 1);
  const divides = entries % FREQUENCY_GROUPS === 0;
  return groups === 1 && divides && suitsFDConv(inChannels, outChannels, kernelSize);
}

function routerOptions({ routerBias = true }: NetworkKind) {
  return { bias: routerBias };
}

function isRoutedByBlock({ block }: ConvolutionSite, { layer, router = "block" }: DynamicChoice): boolean {
  return layer === "condconv" && router === "block" && block > 0;
}

function staticLayer(site: ConvolutionSite, { bias = false }: NetworkKind): Module {
  const { role, inChannels, outChannels, kernelSize } = site;
  if (role === "classifier") return staticClassifier(site);
  return new Conv2d(inChannels, outChannels, kernelSize, { ...convolutionOptions(site), bias });
}

function dynamicLayer(site: ConvolutionSite, kind: NetworkKind, choice: DynamicChoice): Routed {
  const { layer, experts = DEFAULT_EXPERTS, ratio } = choice;
  if (site.role === "classifier")
    return dynamicClassifier(site, layer, { experts, router: routerOptions(kind) });
  const { inChannels, outChannels, kernelSize } = site;
  const { bias = false } = kind;
  const geometry = convolutionOptions(site);
  const branch = ratio === undefined ? {} : { ratio };
  switch (layer) {
    case "dyconv":
      return new DynamicConv2d(inChannels, outChannels, kernelSize, {
        ...geometry,
        ...branch,
        ...(choice.branch && { branch: choice.branch }),
        bias,
        experts,
      });
    case "condconv":
      return new CondConv2d(inChannels, outChannels, kernelSize, {
        ...geometry,
        ...{ bias, experts, router: isRoutedByBlock(site, choice) ? "given" : "own" },
      });
    case "odconv":
      return new ODConv2d(inChannels, outChannels, kernelSize, { ...geometry, ...branch, experts });
    case "dcd":
      return new DCDConv2d(inChannels, outChannels, kernelSize, { ...geometry, where: kind.dcd });
    case "fdconv": {
      const { groups: _, ...others } = geometry;
      return new FDConv2d(inChannels, outChannels, kernelSize, { ...others, ...branch, bias });
    }
    case "kernel-warehouse":
      throw new Error("layers of a warehouse are made together");
  }
}
