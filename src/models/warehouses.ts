import type { Tensor } from "../ir/index.js";
import { KernelWarehouse, type KernelWarehouseOptions, Module, type Parameter } from "../nn/index.js";
import type { DynamicChoice } from "./dynamic-choice.js";
import { type ConvolutionSite, convolutionOptions } from "./site.js";

/** How a network's kernels are assigned to warehouses. */
export interface WarehousePolicy {
  /** The warehouse that a kernel is mixed from; `undefined` if it stays static. */
  readonly warehouseOf: (site: ConvolutionSite, cellRatio: number) => string | undefined;
  /** Options of a warehouse that differ from the defaults. */
  readonly optionsOf?: (warehouse: string, cellRatio: number) => KernelWarehouseOptions;
}

/** The cells shared by convolutions of a network: one parameter per warehouse, under its name. */
export class Warehouses extends Module {
  readonly #cells: Readonly<Record<string, Parameter>>;

  constructor(cells: Readonly<Record<string, Parameter>>) {
    super();
    this.#cells = cells;
  }

  /** Returns its input: only the convolutions use the cells. */
  forward(x: Tensor): Tensor {
    return x;
  }

  protected override properties(): readonly (readonly [string, unknown])[] {
    return Object.entries(this.#cells);
  }
}

/** Creates one warehouse per name, with layers in the order of their sites. */
export function fromWarehouses(
  dynamic: readonly ConvolutionSite[],
  { warehouseOf, optionsOf }: WarehousePolicy,
  { cellRatio = 1, ratio }: DynamicChoice,
) {
  const shared = new Map<string, ConvolutionSite[]>();
  for (const site of dynamic) {
    const name = warehouseOf(site, cellRatio);
    if (name !== undefined) shared.set(name, [...(shared.get(name) ?? []), site]);
  }
  const modules = new Map<ConvolutionSite, Module>();
  const cells: Record<string, Parameter> = {};
  for (const [name, sites] of shared) {
    const layers = sites.map((site) => ({
      ...site,
      ...convolutionOptions(site),
      bias: site.role === "classifier",
    }));
    const options = { cellRatio, ...optionsOf?.(name, cellRatio), ...(ratio !== undefined && { ratio }) };
    const warehouse = new KernelWarehouse(layers, options);
    cells[name] = warehouse.warehouse;
    for (const [n, site] of sites.entries()) modules.set(site, warehouse.layer(n));
  }
  return { modules, warehouses: new Warehouses(cells) };
}
