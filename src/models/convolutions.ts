import { UsageError } from "../errors/index.js";
import type { Tensor } from "../ir/index.js";
import {
  CondConv2d,
  Conv2d,
  DCDConv2d,
  DynamicConv2d,
  FDConv2d,
  KernelWarehouse,
  Module,
  ODConv2d,
  type Parameter,
  suitsFDConv,
} from "../nn/index.js";
import {
  type ConvolutionSite,
  SITE_POLICIES,
  type SitePolicy,
  type SitePredicate,
  samePadding,
} from "./site.js";

/** Layers that can take the place of a network's convolutions. */
export const DYNAMIC_LAYERS = ["dyconv", "condconv", "odconv", "dcd", "kernel-warehouse", "fdconv"] as const;

/** One of {@link DYNAMIC_LAYERS}. */
export type DynamicLayer = (typeof DYNAMIC_LAYERS)[number];

/** Which convolutions of a network are dynamic, and how. */
export interface DynamicChoice {
  readonly layer: DynamicLayer;
  /** Kernels that are mixed, by layers that have experts; 4 by default. */
  readonly experts?: number;
  /** Channels to hidden channels of the attention; the layer's own by default. */
  readonly ratio?: number;
  /** Cells to pieces of kernel, of a warehouse; 1 by default. */
  readonly cellRatio?: number;
  /** A policy's name, or a predicate; the layer's published policy for the network by default. */
  readonly where?: SitePolicy | SitePredicate;
}

/** What a network knows of itself that layers are made by. */
export interface NetworkKind {
  /** Policy of each layer where none is given. */
  readonly policies: Readonly<Record<DynamicLayer, SitePolicy | SitePredicate>>;
  /** By whose rule the widths of DCD are chosen. */
  readonly dcd: "basic" | "bottleneck" | "mobilenet";
  /** The warehouse that a convolution takes its kernel from; `undefined` where it stays static. */
  readonly warehouseOf: (site: ConvolutionSite) => string | undefined;
}

/** A network's convolutions by site, and the warehouses that they share. */
export interface Convolutions {
  /** The module of a site. */
  readonly at: (site: ConvolutionSite) => Module;
  /** What a network keeps before its layers, so that shared cells have a name of their own. */
  readonly warehouses: Warehouses | undefined;
}

/** The cells that convolutions of a network share, each warehouse a parameter under its name. */
export class Warehouses extends Module {
  readonly #cells: Readonly<Record<string, Parameter>>;

  constructor(cells: Readonly<Record<string, Parameter>>) {
    super();
    this.#cells = cells;
  }

  /** Hands on its input: it is the convolutions that use the cells. */
  forward(x: Tensor): Tensor {
    return x;
  }

  protected override properties(): readonly (readonly [string, unknown])[] {
    return Object.entries(this.#cells);
  }
}

/**
 * Makes all convolutions of a network, none with a bias.
 *
 * @param sites in the order in which they are registered: warehouses give away their cells in that order
 * @throws UsageError for a choice that no convolution of the network suits
 */
export function makeConvolutions(
  sites: readonly ConvolutionSite[],
  kind: NetworkKind,
  choice: DynamicChoice | undefined,
): Convolutions {
  if (choice === undefined) return { at: plain, warehouses: undefined };
  const { layer, where = kind.policies[layer] } = choice;
  const chosen = typeof where === "string" ? SITE_POLICIES[where] : where;
  const dynamic = new Set(sites.filter((site) => chosen(site) && suits(layer, site)));
  if (dynamic.size === 0) {
    throw new UsageError(`none of the network's convolutions is to be ${layer}`, {
      hint: `choose others: ${Object.keys(SITE_POLICIES).join(", ")}`,
    });
  }
  if (layer === "kernel-warehouse") return fromWarehouses([...dynamic], kind, choice);
  return {
    at: (site) => (dynamic.has(site) ? dynamicLayer(site, kind, choice, layer) : plain(site)),
    warehouses: undefined,
  };
}

/** Groups of frequencies of FDConv. */
const FREQUENCY_GROUPS = 64;

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

function optionsOf(site: ConvolutionSite) {
  const { stride, groups } = site;
  return { stride, groups, padding: samePadding(site), bias: false } as const;
}

function plain(site: ConvolutionSite): Module {
  return new Conv2d(site.inChannels, site.outChannels, site.kernelSize, optionsOf(site));
}

function dynamicLayer(
  site: ConvolutionSite,
  kind: NetworkKind,
  { experts = 4, ratio }: DynamicChoice,
  layer: Exclude<DynamicLayer, "kernel-warehouse">,
): Module {
  const { inChannels, outChannels, kernelSize } = site;
  const { bias, ...geometry } = optionsOf(site);
  const branch = ratio === undefined ? {} : { ratio };
  switch (layer) {
    case "dyconv":
      return new DynamicConv2d(inChannels, outChannels, kernelSize, {
        ...geometry,
        ...branch,
        bias,
        experts,
      });
    case "condconv":
      return new CondConv2d(inChannels, outChannels, kernelSize, { ...geometry, bias, experts });
    case "odconv":
      return new ODConv2d(inChannels, outChannels, kernelSize, { ...geometry, ...branch, experts });
    case "dcd":
      return new DCDConv2d(inChannels, outChannels, kernelSize, { ...geometry, where: kind.dcd });
    case "fdconv": {
      const { groups: _, ...others } = geometry;
      return new FDConv2d(inChannels, outChannels, kernelSize, { ...others, ...branch, bias });
    }
  }
}

/** A warehouse for each name, its layers in the order of their sites. */
function fromWarehouses(
  dynamic: readonly ConvolutionSite[],
  { warehouseOf }: NetworkKind,
  { cellRatio = 1, ratio = 16 }: DynamicChoice,
): Convolutions {
  const shared = new Map<string, ConvolutionSite[]>();
  for (const site of dynamic) {
    const name = warehouseOf(site);
    if (name !== undefined) shared.set(name, [...(shared.get(name) ?? []), site]);
  }
  const modules = new Map<ConvolutionSite, Module>();
  const cells: Record<string, Parameter> = {};
  for (const [name, sites] of shared) {
    const warehouse = new KernelWarehouse(
      sites.map((site) => ({ ...site, ...optionsOf(site) })),
      { cellRatio, ratio },
    );
    cells[name] = warehouse.warehouse;
    for (const [n, site] of sites.entries()) modules.set(site, warehouse.layer(n));
  }
  return { at: (site) => modules.get(site) ?? plain(site), warehouses: new Warehouses(cells) };
}
