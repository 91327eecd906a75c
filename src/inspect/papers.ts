import { type ModelOptions, modelEntry } from "../models/index.js";
import { elementCount } from "../util/shape.js";
import { summarize } from "./summary.js";

/** A network of a paper, with its published figures. */
export interface PaperNetwork {
  /** Name of the model, and options other than the defaults. */
  readonly model: string;
  readonly options?: ModelOptions;
  /** Number of classes. Defaults to 1000. */
  readonly classes?: number;
  /**
   * Published millions of trainable parameters, with the published decimals. Absent if none are published.
   */
  readonly published?: string;
  /** Whether the published count includes running statistics. */
  readonly statistics?: boolean;
  /** Why the count differs from the published one, if it does. */
  readonly why?: string;
}

/** A network with its counts. */
export interface PaperRow {
  readonly network: string;
  /** The dynamic layer with its options, or `"static"`. */
  readonly layer: string;
  /** Trainable parameters, plus running statistics if the published count includes them. */
  readonly parameters: number;
  /** Multiply-adds per image or sound, as counted by `summarize`. */
  readonly multiplyAdds: number;
  /** The published count, rounded as published. `null` if none is published. */
  readonly publishedParameters: number | null;
  /** Whether the count rounds to the published one. `null` if none is published. */
  readonly matches: boolean | null;
  /**
   * Why it does not match, or that no count is published. Empty if it matches, or if the reason is unknown.
   */
  readonly why: string;
}

const OWN_STATIC = "the paper's static ResNets (11.1 and 5.2 M) are not the usual ones";
const LAST_DIGIT = "the last digit: 129.865768 M";
const QUARTER = "the released settings give 1.2 % less than the published figure; the cause is not known";
const SMALL_WIDTHS = "the paper does not tell the channels of its smallest networks";

const dyconv = (options: ModelOptions = {}) => ({ dynamic: "dyconv", ...options });
const condconv = (experts: number) => ({ dynamic: "condconv", experts });
const odconv = (experts: number, options: ModelOptions = {}) => ({ dynamic: "odconv", experts, ...options });
const dcd = (options: ModelOptions = {}) => ({ dynamic: "dcd", ...options });
const fdconv = { dynamic: "fdconv" };
const warehouse = (cellRatio: number, options: ModelOptions = {}) => ({
  ...{ dynamic: "kernel-warehouse", cellRatio },
  ...options,
});

/** The networks to count. */
export const PAPER_NETWORKS: readonly PaperNetwork[] = [
  { model: "alexnet", classes: 10, published: "7.525418" },
  { model: "alexnet-dy", classes: 10, published: "8.322992" },
  { model: "vgg11", published: "132.86" },
  { model: "resnet10", options: dyconv(), published: "18.6", why: OWN_STATIC },
  { model: "resnet18", published: "11.69" },
  { model: "resnet18", options: dyconv(), published: "45.47" },
  { model: "resnet18", options: dyconv({ where: "blocks" }) },
  { model: "resnet18", options: dyconv(), published: "42.7", why: OWN_STATIC },
  { model: "resnet18", options: condconv(8), published: "81.35" },
  { model: "resnet18", options: odconv(1), published: "11.94" },
  { model: "resnet18", options: odconv(2) },
  { model: "resnet18", options: odconv(4), published: "44.90" },
  { model: "resnet18", options: dcd(), published: "14.70" },
  { model: "resnet18", options: warehouse(0.25), published: "4.08", why: QUARTER },
  { model: "resnet18", options: warehouse(0.5), published: "7.43" },
  { model: "resnet18", options: warehouse(1), published: "11.93" },
  { model: "resnet18", options: warehouse(2), published: "23.24" },
  { model: "resnet18", options: warehouse(4), published: "45.86" },
  { model: "resnet18", options: fdconv },
  { model: "resnet34", published: "21.80" },
  { model: "resnet34", options: odconv(1) },
  { model: "resnet34", options: odconv(4) },
  { model: "resnet50", published: "25.56" },
  { model: "resnet50", options: dyconv(), published: "100.88" },
  { model: "resnet50", options: condconv(8), published: "129.86", why: LAST_DIGIT },
  { model: "resnet50", options: odconv(1), published: "28.64" },
  { model: "resnet50", options: odconv(4), published: "90.67" },
  { model: "resnet50", options: dcd(), published: "29.84" },
  { model: "resnet50", options: warehouse(0.5), published: "17.64" },
  { model: "resnet50", options: warehouse(1), published: "28.05" },
  { model: "resnet50", options: warehouse(4), published: "102.02" },
  { model: "resnet50", options: fdconv },
  { model: "resnet101", published: "44.55" },
  { model: "resnet101", options: odconv(1), published: "50.82" },
  { model: "resnet101", options: odconv(2), published: "90.44" },
  { model: "resnet18-cifar", classes: 10 },
  { model: "resnet18-cifar", classes: 10, options: dyconv() },
  { model: "resnet18-cifar", classes: 10, options: condconv(8) },
  { model: "resnet18-cifar", classes: 10, options: odconv(1) },
  { model: "resnet18-cifar", classes: 10, options: odconv(4) },
  { model: "resnet18-cifar", classes: 10, options: warehouse(1) },
  { model: "mobilenet-v2", published: "3.50" },
  { model: "mobilenet-v2", options: { width: 0.75 }, published: "2.64" },
  { model: "mobilenet-v2", options: { width: 0.5 }, published: "1.97" },
  { model: "mobilenet-v2", options: { width: 0.35 }, published: "1.68" },
  { model: "mobilenet-v2", options: dyconv(), published: "11.1" },
  { model: "mobilenet-v2", options: dyconv({ width: 0.75 }), published: "7.0" },
  { model: "mobilenet-v2", options: dyconv({ width: 0.5 }), published: "4.0", why: SMALL_WIDTHS },
  { model: "mobilenet-v2", options: dyconv({ width: 0.35 }), published: "2.8", why: SMALL_WIDTHS },
  { model: "mobilenet-v2", options: dyconv({ where: "all-but-stem" }), published: "12.40" },
  { model: "mobilenet-v2", options: condconv(8), published: "22.88" },
  { model: "mobilenet-v2", options: odconv(1), published: "4.94" },
  { model: "mobilenet-v2", options: odconv(4), published: "11.51" },
  { model: "mobilenet-v2", options: odconv(1, { width: 0.75 }), published: "3.51" },
  { model: "mobilenet-v2", options: odconv(4, { width: 0.75 }), published: "7.50" },
  { model: "mobilenet-v2", options: odconv(1, { width: 0.5 }), published: "2.43" },
  { model: "mobilenet-v2", options: odconv(4, { width: 0.5 }), published: "4.44" },
  { model: "mobilenet-v2", options: dcd(), published: "5.72" },
  { model: "mobilenet-v2", options: dcd({ classifier: "static" }), published: "5.5" },
  { model: "mobilenet-v2", options: dcd({ width: 0.75 }) },
  { model: "mobilenet-v2", options: dcd({ width: 0.5 }) },
  { model: "mobilenet-v2", options: dcd({ width: 0.35 }) },
  { model: "mobilenet-v2", options: warehouse(0.5), published: "2.65" },
  { model: "mobilenet-v2", options: warehouse(1), published: "5.17" },
  { model: "mobilenet-v2", options: warehouse(4), published: "11.38" },
  { model: "mobilenet-v2", options: warehouse(0.5, { width: 0.5 }), published: "1.47" },
  { model: "mobilenet-v2", options: warehouse(1, { width: 0.5 }), published: "2.85" },
  { model: "mobilenet-v2", options: warehouse(4, { width: 0.5 }), published: "4.65" },
  { model: "mobilenet-v3-small", published: "2.54" },
  { model: "mobilenet-v3-small", options: { head: 1280 }, published: "2.9" },
  { model: "mobilenet-v3-small", options: dyconv({ head: 1280 }), published: "4.8" },
  { model: "mobilenet-v3-large", published: "5.48" },
  { model: "mobilenet-v3-large", options: dyconv() },
  { model: "efficientnet-b0", published: "5.29" },
  { model: "efficientnet-b0", options: condconv(4), published: "13.31" },
  { model: "efficientnet-b0", options: condconv(8), published: "24.01" },
  { model: "efficientnet-b1", published: "7.79" },
  { model: "efficientnet-b1", options: condconv(8), published: "39.72" },
  { model: "dymn04", classes: 527, published: "1.97", statistics: true },
  { model: "dymn10", classes: 527, published: "10.57", statistics: true },
  { model: "dymn20", classes: 527, published: "40.02", statistics: true },
  { model: "fdy-crnn", classes: 10, options: { convolutions: "plain" }, published: "4.428" },
  { model: "fdy-crnn", classes: 10, published: "11.061" },
];

/** Dynamic layers of networks that have their own. */
const OWN_LAYERS: Readonly<Record<string, string>> = {
  "alexnet-dy": "dyconv",
  dymn04: "dymn, with statistics",
  dymn10: "dymn, with statistics",
  dymn20: "dymn, with statistics",
  "fdy-crnn": "fdy",
};

/** Builds a network of a paper and counts its parameters, without initializing weights. */
export function countPaperNetwork({
  model,
  options = {},
  classes = 1000,
  published,
  statistics = false,
  why,
}: PaperNetwork): PaperRow {
  const entry = modelEntry(model);
  const network = entry.create({ ...options, classes });
  const parameters = network
    .namedParameters()
    .filter(([, { trainable }]) => trainable || statistics)
    .reduce((total, [, { shape }]) => total + elementCount(shape), 0);
  const { multiplyAdds } = summarize(network, { inputShape: entry.inputShape });
  const matches = published === undefined ? null : roundedAs(published, parameters) === published;
  const { dynamic, convolutions = OWN_LAYERS[model] ?? "static", width, ...others } = options;
  const details = Object.entries(others).map(([name, value]) => `${name} ${value}`);
  return {
    network: width === undefined ? model : `${model} ×${width}`,
    layer: [dynamic ?? convolutions, ...details].join(", "),
    parameters,
    multiplyAdds,
    publishedParameters: published === undefined ? null : Math.round(Number(published) * 1e6),
    matches,
    why: matches === null ? "nobody publishes a count" : matches ? "" : (why ?? ""),
  };
}

/** Formats millions with as many decimals as another figure. */
function roundedAs(published: string, count: number): string {
  return (count / 1e6).toFixed(published.split(".")[1]?.length ?? 0);
}
