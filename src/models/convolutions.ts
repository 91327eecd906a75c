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

/** What layers need to know about their network. */
export interface NetworkKind {
  /** Default policy of each layer. */
  readonly policies: Readonly<Record<DynamicLayer, SitePolicy | SitePredicate>>;
  /** Which published rule chooses the widths of DCD. */
  readonly dcd: "basic" | "bottleneck" | "mobilenet";
  readonly warehouses: WarehousePolicy;
  /** Whether the classifier is dynamic as published. By default only for DCD. */
  readonly classifier?: (choice: DynamicChoice) => boolean;
  /** Whether CondConv's routers have a bias. Defaults to `true`. */
  readonly routerBias?: boolean;
  /** Whether convolutions have a bias, if the layer supports it. Defaults to `false`. */
  readonly bias?: boolean;
}

/** A network's convolutions by site, and their shared parts. */
export interface Convolutions {
  /** Returns the module of a site. CondConv layers with a router per block also take the block's routing weights. */
  readonly at: (site: ConvolutionSite) => Routed;
  /**
   * Returns the router of a block, which reads the block's input, or `undefined` if no convolution of the block needs
   * one.
   */
  readonly routerOf: (block: readonly ConvolutionSite[]) => CondConvRouter | undefined;
  /** The warehouses, which a network registers before its layers so that shared cells have their own names. */
  readonly warehouses: Warehouses | undefined;
}

/**
 * Creates all convolutions of a network, and its classifier if it is among the sites.
 *
 * @param sites in the order of registration, which is the order of cell ownership in warehouses
 * @throws UsageError if the choice applies to no convolution of the network
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
    throw new UsageError(`no convolution of this network would be ${choice.layer}`, {
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

/** Default number of frequency groups of FDConv. */
const FREQUENCY_GROUPS = 64;

function chosenBy(choice: DynamicChoice, kind: NetworkKind): SitePredicate {
  const { layer, where = kind.policies[layer] } = choice;
  const chosen = typeof where === "string" ? SITE_POLICIES[where] : where;
  const published = kind.classifier ?? (() => layer === "dcd");
  const classifier = choice.classifier ?? published(choice);
  return (site) => (site.role === "classifier" ? classifier : chosen(site) && suits(layer, site));
}

/** Whether a layer supports a site: FDConv needs a spectrum that splits into equal groups, DCD ungrouped channels. */
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
